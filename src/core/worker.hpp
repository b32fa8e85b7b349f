// One worker's seat in a scheduler: what the scheduler knows of the thread that sits there.
//
// Thread safety: `signal_` is an atomic, written under the scheduler's mutex or by its owner; the
// other members are guarded by that mutex, and `progress_` has a comment of its own.
// Invariant: a worker is among the scheduler's idle workers exactly while `signal_` is kAsleep; who
// takes it from there sets kCalled, and only then wakes it.
#pragma once

#include <cstdint>

#include "core/parking_spot.hpp"

namespace treadle {

class Reserve;

class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Wakes the thread after the scheduler named this worker in a `wake` member.
  void call() const { unpark_one(&signal_); }

 private:
  friend class IdleWorkers;
  friend class Scheduler;
  static constexpr std::uint32_t kAsleep = 0;
  static constexpr std::uint32_t kCalled = 1;

  ParkingWord signal_{kCalled};
  Worker* colder_ = nullptr;  // its neighbours among the idle
  Worker* warmer_ = nullptr;
  // Awake without a task, and counted as such: a new thread until its first look at the queue, a
  // called one until its next; a dismissed one leaves if it finds nothing then.
  enum class Seeking : std::uint8_t { kNo, kStarting, kSearching, kDismissed };
  Seeking seeking_ = Seeking::kStarting;
  Reserve* serving_ = nullptr;   // whose task it runs, unless it has blocked in that
  bool yields_ = false;          // it is about to end that early, so that others can start
  bool sleeps_for_ever_ = true;  // its own: until it is called, and not for `KeepAlive::time`
  // Its own: the thread is to end, and the scheduler does not count it any more.
  enum class Left : std::uint8_t { kNo, kGaveUp, kOrphaned };
  Left left_ = Left::kNo;
};

}  // namespace treadle
