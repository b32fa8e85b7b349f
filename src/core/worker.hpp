// One worker's seat in a scheduler: what the scheduler knows of the thread that sits there.
//
// Thread safety: `signal_` is an atomic, written under the scheduler's mutex or by its owner; the
// other members are guarded by that mutex, and `progress_` has a comment of its own.
// Invariant: a worker is in the scheduler's stack of idle workers exactly while `signal_` is
// kAsleep; who takes it off the stack sets kCalled, and only then wakes it.
#pragma once

#include <cstdint>

#include "core/parking_spot.hpp"

namespace treadle {

class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Wakes the thread after the scheduler named this worker in a `wake` member.
  void call() const { unpark_one(&signal_); }

 private:
  friend class Scheduler;
  static constexpr std::uint32_t kAsleep = 0;
  static constexpr std::uint32_t kCalled = 1;

  ParkingWord signal_{kCalled};
  Worker* next_idle_ = nullptr;
  // Awake without a task, and counted as such: a new thread until its first look at the queue, a
  // called one until its next.
  enum class Seeking : std::uint8_t { kNo, kStarting, kSearching };
  Seeking seeking_ = Seeking::kStarting;
  // The thread that survived a fork: its scheduler has started anew without it.
  bool orphaned_ = false;
};

}  // namespace treadle
