// The places of a bounded queue (places.hpp) under many threads.
//
// The strategy: threads take places, count how many are taken at once, and give them back, some by
// waiting, some with a time limit, some asynchronously, while others leave or close.  In the end
// every place is free again and nobody waits.  Run under the thread and address sanitizers, too.

#include "core/places.hpp"

#include <array>
#include <boost/thread/thread.hpp>
#include <memory>
#include <vector>

#include "check.hpp"

namespace treadle::test {
namespace {

using std::chrono::microseconds;

enum class Got : std::uint8_t { kPlace, kNothing, kClosed };

// Waits as a thread of a host does.
Got wait_for_place(Places& places, Deadline deadline, bool tarries = false) {
  PlaceWaiter waiter;
  waiter.may_tarry = tarries;
  const Places::Entered entered = places.enter(waiter);
  if (entered == Places::Entered::kTaken) return Got::kPlace;
  if (entered == Places::Entered::kClosed) return Got::kClosed;
  while (waiter.word.load(std::memory_order_acquire) == PlaceWaiter::kWaiting) {
    if (park(waiter.word, PlaceWaiter::kWaiting, deadline) != Parked::kTimedOut) continue;
    if (places.leave(waiter)) return Got::kNothing;
  }
  if (waiter.word.load(std::memory_order_acquire) == PlaceWaiter::kClosed) return Got::kClosed;
  if (!tarries) places.woke();
  places.pass_on();
  return Got::kPlace;
}

struct Counted {
  explicit Counted(std::size_t bound) : places(bound) {}
  Places places;
  std::atomic<std::size_t> inside{0};
  std::atomic<std::size_t> served{0};

  void use() {
    CHECK(inside.fetch_add(1) < places.bound());
    served.fetch_add(1);
    inside.fetch_sub(1);
    places.give_back();
  }
};

void never_more_than_the_bound(std::size_t bound) {
  constexpr std::size_t kThreads = 6;
  constexpr std::size_t kTimes = 5000;
  Counted counted(bound);
  boost::thread_group threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.create_thread([&, t] {
      for (std::size_t i = 0; i < kTimes; ++i) {
        CHECK(wait_for_place(counted.places, std::nullopt, t == 0) == Got::kPlace);
        counted.use();
      }
    });
  }
  threads.join_all();
  CHECK(counted.served.load() == kThreads * kTimes);
  CHECK(counted.places.taken() == 0);
}

void time_limits_lose_nothing(std::size_t bound) {
  Counted counted(bound);
  boost::thread_group threads;
  for (int t = 0; t < 6; ++t) {
    threads.create_thread([&] {
      for (int i = 0; i < 2000; ++i) {
        if (wait_for_place(counted.places, Clock::now() + microseconds(i % 50)) == Got::kPlace) {
          counted.use();
        }
      }
    });
  }
  threads.join_all();
  CHECK(counted.places.taken() == 0);
  CHECK(counted.places.take(bound + 1) == bound);
}

struct Callback : PlaceWaiter {
  static void serve(PlaceWaiter& waiter) {
    auto& self = static_cast<Callback&>(waiter);
    if (waiter.word.load(std::memory_order_relaxed) == kGiven) self.counted->use();
    self.done.store(1, std::memory_order_release);
    unpark_all(&self.done);
  }
  Callback() : PlaceWaiter(&serve) {}
  Counted* counted = nullptr;
  ParkingWord done{0};
};

void callbacks_and_threads_take_turns(std::size_t bound) {
  Counted counted(bound);
  boost::thread_group threads;
  for (int t = 0; t < 4; ++t) {
    threads.create_thread([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if (t % 2 == 0) {
          CHECK(wait_for_place(counted.places, std::nullopt) == Got::kPlace);
          counted.use();
          continue;
        }
        Callback callback;
        callback.counted = &counted;
        const Places::Entered entered = counted.places.enter(callback);
        if (entered == Places::Entered::kTaken) counted.use();
        if (entered != Places::Entered::kWaits) continue;
        if (i % 3 == 0 && counted.places.leave(callback)) continue;
        while (callback.done.load(std::memory_order_acquire) == 0) {
          (void)park(callback.done, 0, std::nullopt);
        }
      }
    });
  }
  threads.join_all();
  CHECK(counted.places.taken() == 0);
}

// The longest waiter is served first, and one that goes on has the next one roused.
void the_first_to_wait_is_the_first_to_be_served() {
  Places places(2);
  CHECK(places.take(5) == 2);
  std::array<PlaceWaiter, 3> waiters;
  for (PlaceWaiter& waiter : waiters) CHECK(places.enter(waiter) == Places::Entered::kWaits);
  const auto given = [&](std::size_t i) { return waiters[i].word.load() == PlaceWaiter::kGiven; };
  places.give_back();
  CHECK(given(0) && !given(1));
  places.give_back();  // free: whom the first place rouses may want it
  CHECK(!given(1) && places.taken() == 1);
  places.woke();
  places.pass_on();
  CHECK(given(1) && !given(2) && places.taken() == 2);
  CHECK(!places.leave(waiters[1]) && places.leave(waiters[2]));
  places.woke();
  places.pass_on();
  places.give_back();
  places.give_back();
  CHECK(places.taken() == 0);
}

// What came back while a thread woke up is for all who wait, also when that thread leaves it to the
// place that comes back next, and this one goes to somebody who takes time to use it.
void what_was_left_free_reaches_who_waits_behind(bool tarries) {
  struct Idle : PlaceWaiter {
    Idle() : PlaceWaiter([](PlaceWaiter&) {}) {}
  };
  Places places(4);
  CHECK(places.take(4) == 4);
  PlaceWaiter roused, thread, behind;
  Idle idle;
  thread.may_tarry = true;
  PlaceWaiter& slow = tarries ? thread : idle;
  for (PlaceWaiter* waiter : {&roused, &slow, &behind}) {
    CHECK(places.enter(*waiter) == Places::Entered::kWaits);
  }
  for (int i = 0; i < 4; ++i) places.give_back();
  CHECK(roused.word == PlaceWaiter::kGiven && slow.word == PlaceWaiter::kWaiting);
  places.woke();  // and does not pass on: its own place is about to come back
  places.give_back();
  CHECK(slow.word == PlaceWaiter::kGiven && behind.word == PlaceWaiter::kGiven);
  places.woke();
  places.pass_on();
  CHECK(places.taken() == 2);
}

void closing_ends_every_wait() {
  for (int round = 0; round < 200; ++round) {
    Counted counted(1);
    CHECK(counted.places.take() == 1);
    boost::thread_group threads;
    for (int t = 0; t < 3; ++t) {
      threads.create_thread([&] {
        if (wait_for_place(counted.places, std::nullopt) == Got::kPlace) counted.use();
      });
    }
    Callback callback;
    callback.counted = &counted;
    const bool waits = counted.places.enter(callback) == Places::Entered::kWaits;
    if (round % 2 == 0) counted.places.give_back();
    counted.places.close();
    threads.join_all();
    CHECK(!waits || callback.done.load() == 1);
    PlaceWaiter late;
    CHECK(counted.places.enter(late) == Places::Entered::kClosed);
    if (round % 2 != 0) counted.places.give_back();
    CHECK(counted.places.taken() == 0);
  }
}

void a_child_starts_with_every_place_free() {
  Places places(3);
  CHECK(places.take(3) == 3);
  PlaceWaiter waiter;
  CHECK(places.enter(waiter) == Places::Entered::kWaits && !places.forgot(waiter));
  places.restart_in_child();
  CHECK(places.forgot(waiter) && places.taken() == 0);
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  for (const std::size_t bound : {1U, 2U, 5U}) {
    never_more_than_the_bound(bound);
    time_limits_lose_nothing(bound);
    callbacks_and_threads_take_turns(bound);
  }
  the_first_to_wait_is_the_first_to_be_served();
  what_was_left_free_reaches_who_waits_behind(false);
  what_was_left_free_reaches_who_waits_behind(true);
  closing_ends_every_wait();
  a_child_starts_with_every_place_free();
  return 0;
}
