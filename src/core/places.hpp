// The places of a bounded queue: how many there are, and who waits for one.
//
// Whoever queues a task takes a place first; it is given back when the task leaves the queue, or is
// void there.  Only bounded pools have places.
//
// Thread safety: every method, from any thread, unless it says otherwise.
// Invariants:
//  1. Free and taken places together are `bound()`.  Who finds one free takes it with one atomic
//     operation.  `word_` has kWaited exactly while `waiters_` is not empty: a place that comes
//     back then goes to the one who has waited longest.
//  2. One thread at a time is being roused: has been given a place, and has not said by `woke` that
//     it is awake.  What comes back until then is free, so that a thread which submits more finds
//     what was given back while it woke up, and a queue that runs empty does not wake all who wait,
//     each for one place.  Afterwards it calls `pass_on`, which rouses the next if anything is
//     left; or it knows that a place is about to come back, which does the same, whoever gets it.
//     No place is free while somebody waits but in that time.
//  3. A waiter leaves the list once: served (its word changes under the mutex), or by `leave`.
//     A thread may go on, and its waiter cease to exist, as soon as the word has changed: from then
//     on only the word's address is used.  A waiter with a `call` exists until that returns.
//  4. After `close` nobody waits.
//  5. No `call` is made under the mutex; only `close` wakes a thread there.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>

#include "core/mutex.hpp"
#include "core/parking_spot.hpp"

namespace treadle {

using PlaceWaiterHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;

// Somebody who waits for a place: a thread that sleeps on `word`, or what a host wakes by `call`.
struct PlaceWaiter : PlaceWaiterHook {
  enum Word : std::uint32_t { kWaiting, kGiven, kClosed };
  using Call = void (*)(PlaceWaiter&);

  explicit PlaceWaiter(Call served = nullptr) : call(served) {}

  ParkingWord word{kWaiting};
  // A thread that may do other things between being served and going on (it handles signals): it is
  // not waited for as one that is being roused.
  bool may_tarry = false;
  const Call call;  // made once, after the word has changed
  std::uint32_t epoch = 0;
};

class Places {
 public:
  explicit Places(std::size_t bound) : bound_(bound), word_(bound * kOne) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  [[nodiscard]] std::size_t bound() const { return bound_; }
  [[nodiscard]] std::size_t taken() const {
    return bound_ - word_.load(std::memory_order_relaxed) / kOne;  // a snapshot, old at once
  }

  // Takes as many free places as there are, `most` at most; gives their number.
  [[nodiscard]] std::size_t take(std::size_t most = 1) {
    std::size_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
      const std::size_t taken = seen / kOne < most ? seen / kOne : most;
      if (taken == 0) return 0;
      // Acquire pairs with the release in `give_back`: what the last holder did is over.
      if (word_.compare_exchange_weak(seen, seen - taken * kOne, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return taken;
      }
    }
  }

  void give_back() TREADLE_EXCLUDES(mutex_) {
    std::size_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & kWaited) == 0) {
      if (word_.compare_exchange_weak(seen, seen + kOne, std::memory_order_release,
                                      std::memory_order_relaxed)) {
        return;
      }
    }
    give_to_waiter();
  }

  enum class Entered : std::uint8_t { kTaken, kWaits, kClosed };
  // Takes a place if one is free, else lets the waiter wait: it must exist until it is served, or
  // has left.
  [[nodiscard]] Entered enter(PlaceWaiter& waiter) TREADLE_EXCLUDES(mutex_);
  // A thread that was served with a place says so as soon as it is awake; one that may tarry need
  // not.  Either has to pass on then (invariant 2).
  void woke() TREADLE_EXCLUDES(mutex_);
  // Gives free places to those who wait.
  void pass_on() TREADLE_EXCLUDES(mutex_);
  // The waiter waits no more.  False when it has been served meanwhile: a place that it was given
  // is still its own, and a thread has to say that it woke.
  [[nodiscard]] bool leave(PlaceWaiter& waiter) TREADLE_EXCLUDES(mutex_);
  // Moves when a fork has emptied the list.
  [[nodiscard]] std::uint32_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  // Whether a fork has emptied the list since the waiter entered: nobody will serve it.
  [[nodiscard]] bool forgot(const PlaceWaiter& waiter) const {
    return waiter.epoch != epoch();  // written where no other thread exists
  }

  // Serves all who wait, without a place.  The queue itself must refuse tasks by now.
  void close() TREADLE_EXCLUDES(mutex_);

  // In the child of a fork, where no other thread exists and the queue is empty.
  void restart_in_child();

 private:
  static constexpr std::size_t kWaited = 1;
  static constexpr std::size_t kOne = 2;
  using Waiters = boost::intrusive::list<PlaceWaiter>;

  // Whom to wake, with no lock held.
  struct Served {
    const ParkingWord* sleeper = nullptr;
    PlaceWaiter* called = nullptr;
    bool rouses = false;
    void wake() const;
  };
  void give_to_waiter() TREADLE_EXCLUDES(mutex_);
  Served serve_first_locked(PlaceWaiter::Word how) TREADLE_REQUIRES(mutex_);

  const std::size_t bound_;
  std::atomic<std::size_t> word_;  // kOne for each free place, and kWaited
  std::atomic<std::uint32_t> epoch_{0};
  Mutex mutex_;
  Waiters waiters_ TREADLE_GUARDED_BY(mutex_);       // the one who has waited longest first
  bool rousing_ TREADLE_GUARDED_BY(mutex_) = false;  // invariant 2
  bool closed_ TREADLE_GUARDED_BY(mutex_) = false;
};

}  // namespace treadle
