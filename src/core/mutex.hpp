// A boost::mutex that clang's thread-safety analysis understands.
//
// Thread safety: any thread.
// Invariants:
//  1. A holder never blocks, runs no user code, and neither creates nor releases a Python object;
//     so the lock is held for nanoseconds, and a thread that is attached to an interpreter may
//     wait for it.
//  2. In a forked child no other thread exists: `reset_after_fork` puts a fresh lock in place of
//     one that the fork may have copied while it was held.
#pragma once

#include <boost/thread/mutex.hpp>
#include <memory>

#include "core/thread_annotations.hpp"

namespace treadle {

class TREADLE_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() TREADLE_ACQUIRE() { mutex_.lock(); }
  void unlock() TREADLE_RELEASE() { mutex_.unlock(); }

  // Must only be called in the child of a fork, before it starts a thread.
  void reset_after_fork() { std::construct_at(&mutex_); }

 private:
  boost::mutex mutex_;
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
