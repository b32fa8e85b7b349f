#include "python/room.hpp"

#include "python/waiting.hpp"

namespace treadle::python {

namespace {

// The end of a wait that has not brought what it was for.  A place that has come all the same goes
// to the next.
Room give_up(Places& places, PlaceWaiter& waiter, Room how) {
  if (places.forgot(waiter) || places.leave(waiter)) return how;
  if (waiter.word.load(std::memory_order_acquire) != PlaceWaiter::kGiven) return how;
  if (how == Room::kTimedOut) return Room::kTaken;
  const SavedError saved;
  places.give_back();
  return how;
}

}  // namespace

Room wait_for_room(Pool& pool, Deadline deadline) {
  const PoolPtr kept(&pool);
  Places& places = pool.bound()->places;
  for (;;) {
    PlaceWaiter waiter;
    switch (places.enter(waiter)) {
      case Places::Entered::kTaken:
        return Room::kTaken;
      case Places::Entered::kClosed:
        pool.raise_refused(pool.scheduler().closed());
        return Room::kError;
      case Places::Entered::kWaits:
        break;
    }
    // The acquire pairs with the release of whoever serves the waiter.
    while (waiter.word.load(std::memory_order_acquire) == PlaceWaiter::kWaiting) {
      const Waited waited = wait_for_change(waiter.word, PlaceWaiter::kWaiting, deadline);
      if (waited == Waited::kError) return give_up(places, waiter, Room::kError);
      if (places.forgot(waiter)) break;  // a signal handler has forked, and this is the child
      if (waited != Waited::kTimedOut) continue;
      const Room ended = give_up(places, waiter, Room::kTimedOut);
      if (waiter.word.load(std::memory_order_acquire) != PlaceWaiter::kClosed) return ended;
    }
    if (waiter.word.load(std::memory_order_acquire) == PlaceWaiter::kGiven) return Room::kTaken;
  }
}

}  // namespace treadle::python
