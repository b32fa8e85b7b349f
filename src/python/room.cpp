#include "python/room.hpp"

#include "python/waiting.hpp"

namespace treadle::python {

namespace {

// A wait of this thread.  One that a signal handler begins inside another has to go first: what the
// outer one is given now, nobody uses before the handler ends.
struct Wait {
  explicit Wait(Places& wanted) : places(wanted), outer(std::exchange(innermost, this)) {
    waiter.may_tarry = is_main_thread();
  }
  ~Wait() { innermost = outer; }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  // True when the waiter was given a place, and is in the list no more either way.
  bool end() {
    const bool in_list = !over && !places.forgot(waiter);
    over = true;
    return in_list && !places.leave(waiter) && word() == PlaceWaiter::kGiven;
  }
  // The acquire pairs with the release of whoever serves the waiter.
  [[nodiscard]] std::uint32_t word() const { return waiter.word.load(std::memory_order_acquire); }

  static inline thread_local Wait* innermost = nullptr;
  Places& places;
  PlaceWaiter waiter;
  bool over = false;  // and the list does not know it any more
  Wait* const outer;
};

// Ends the waits of this thread for the same places that a signal handler has interrupted; they
// begin again later.  True when one of them had a place.
bool displace_outer_waits(const Places& places) {
  for (Wait* wait = Wait::innermost; wait != nullptr; wait = wait->outer) {
    if (&wait->places == &places && wait->end()) return true;
  }
  return false;
}

}  // namespace

PyObject* push_in_room(Pool& pool, PyObject* task) {
  const Ref kept = Ref::borrow(task);  // and with it, its places
  PyObject* pushed = push_placed(pool, task);
  // A worker that is awake without a task will take one, and give its place back: to whoever waits.
  // Until then this thread may use what is free, and the next need not be woken for what it leaves.
  // Not so where there are more threads than allowed: that one may leave instead.
  const Scheduler::Counts counts = pool.scheduler().counts();
  if (pushed != nullptr && counts.searching != 0 &&
      counts.threads <= pool.scheduler().max_workers()) {
    return pushed;
  }
  const SavedError saved;
  places_of(pool, Future::of(task)).pass_on();
  return pushed;
}

Room wait_for_room(Pool& pool, Places& places, Deadline deadline) {
  const PoolPtr kept(&pool);
  if (displace_outer_waits(places) || displace_tasks_of_this_thread(places)) return Room::kTaken;
  for (;;) {
    Wait wait(places);
    switch (places.enter(wait.waiter)) {
      case Places::Entered::kTaken:
        return Room::kTaken;
      case Places::Entered::kClosed:
        pool.raise_refused(pool.scheduler().closed());
        return Room::kError;
      case Places::Entered::kWaits:
        break;
    }
    Waited waited = Waited::kLookAgain;
    // It is over when a signal handler has displaced it; one may also have forked, and in the child
    // nobody serves it.
    while (waited == Waited::kLookAgain && wait.word() == PlaceWaiter::kWaiting && !wait.over &&
           !places.forgot(wait.waiter)) {
      waited = wait_for_change(wait.waiter.word, PlaceWaiter::kWaiting, deadline);
    }
    const bool given = wait.end();
    if (given && !wait.waiter.may_tarry) places.woke();
    if (waited == Waited::kError) {
      const SavedError saved;
      if (given) places.give_back();
      places.pass_on();
      return Room::kError;
    }
    if (given) return Room::kTaken;
    if (waited == Waited::kTimedOut && wait.word() != PlaceWaiter::kClosed) return Room::kTimedOut;
  }
}

}  // namespace treadle::python
