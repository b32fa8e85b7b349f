// A mutex of one word, annotated for clang's thread-safety analysis.
//
// Free to free it costs two atomic operations, in line; pthread's costs a hundred instructions for
// the two, four times a task, a twelfth of everything that a task costs.
//
// Thread safety: any thread.
// Invariants:
//  1. A holder never blocks, runs no user code, and neither creates nor releases a Python object;
//     so the lock is held for nanoseconds, and a thread that is attached to an interpreter may
//     wait for it.
//  2. kAwaited says that somebody may sleep: whoever unlocks then wakes one, who leaves kAwaited
//     behind, as there may be more.
//  3. In a forked child no other thread exists: `reset_after_fork` frees a lock that the fork may
//     have copied while it was held.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/parking_spot.hpp"
#include "core/thread_annotations.hpp"

namespace treadle {

class TREADLE_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() TREADLE_ACQUIRE() {
    std::uint32_t free = kFree;
    // Acquire: pairs with the release in `unlock`.
    if (word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire,
                                      std::memory_order_relaxed)) [[likely]] {
      return;
    }
    wait();
  }
  void unlock() TREADLE_RELEASE() {
    if (word_.exchange(kFree, std::memory_order_release) == kAwaited) [[unlikely]] {
      unpark_one(&word_);
    }
  }

  // Must only be called in the child of a fork, before it starts a thread.
  void reset_after_fork() { word_.store(kFree, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1, kAwaited = 2;

  void wait();

  ParkingWord word_{kFree};
};

class TREADLE_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TREADLE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() TREADLE_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace treadle
