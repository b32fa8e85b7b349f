// The rules about the interpreter, and the three helpers that keep them.
//
// 1. A thread is *attached* when it may touch Python objects: it holds the GIL or, on a
//    free-threaded build, has an active thread state.  Every function of src/python runs attached
//    unless its comment says otherwise.
// 2. Nobody sleeps attached.  A sleep stands inside a `Detached` block, and what it needs of
//    Python objects was copied out before.
// 3. No Python object is touched, and none is released, while detached or under a core mutex.
// 4. On a GIL build, code that neither detaches nor calls user code is atomic: objects need no
//    lock.  On a free-threaded build an `ObjectMutex` in the object plays that role; under it,
//    too, no user code runs and no reference is dropped.
// 5. A worker keeps the thread state that `threading.Thread` gave it for life.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "python/python_api.hpp"

namespace treadle::python {

// Attaches the thread again.
inline void attach(PyThreadState* state) noexcept {
  unless_exiting([state] { PyEval_RestoreThread(state); });
}

// Detaches the thread for the length of a block.
class Detached {
 public:
  Detached() : state_(PyEval_SaveThread()) {}
  ~Detached() { attach(state_); }
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

 private:
  PyThreadState* state_;
};

// Lets others have the interpreter now and then.  Python code does so by itself, but a worker that
// calls one C function after the other never would: no other thread would run, and no garbage
// collection on free-threaded builds.
//
// A thread that waits for the GIL asks for it when it has slept for a switch interval without being
// woken, and only then the next release waits until it has it.  Whoever releases the GIL more often
// wakes it each time, takes the GIL again before it is there, and so keeps it out for ever: a
// breath is taken every other switch interval.
class Breather {
 public:
  // To be called once a task; looks at the clock every 16th time.  True when it was detached.
  bool breathe() { return ++count_ % 16 == 0 && look_at_clock(); }

 private:
  using Clock = std::chrono::steady_clock;

  bool look_at_clock() {
    const Clock::time_point now = Clock::now();
    if (now < next_) return false;
    {
      const Detached detached;
    }
    next_ = now + 2 * switch_interval();
    return true;
  }

  // `sys.getswitchinterval()`, which programmes may change at any time.
  static Clock::duration switch_interval() {
    PyObject* function = PySys_GetObject("getswitchinterval");  // borrowed
    const Ref interval = function != nullptr ? Ref::steal(PyObject_CallNoArgs(function)) : Ref();
    const double seconds = interval ? PyFloat_AsDouble(interval.get()) : -1;
    if (PyErr_Occurred() != nullptr) PyErr_Clear();
    constexpr std::chrono::duration<double> kDefault(0.005);
    return std::chrono::duration_cast<Clock::duration>(
        seconds > 0 ? std::chrono::duration<double>(seconds) : kDefault);
  }

  std::uint32_t count_ = 0;
  Clock::time_point next_;
};

// Rule 4's mutex: one byte on free-threaded builds, nothing elsewhere.
class ObjectMutex {
 public:
#ifdef Py_GIL_DISABLED
  void lock() { PyMutex_Lock(&mutex_); }
  void unlock() { PyMutex_Unlock(&mutex_); }

 private:
  PyMutex mutex_{};
#else
  void lock() {}
  void unlock() {}
#endif
};

// Lets one caller at a time into an iterator, whoever they are: other threads, or a signal handler
// inside the very call.
class OneReader {
 public:
  // False, with the error that generators raise, when somebody is inside already.
  [[nodiscard]] bool enter() {
    if (!inside_.exchange(true, std::memory_order_acquire)) return true;  // pairs with `leave`
    PyErr_SetString(PyExc_ValueError, "generator already executing");
    return false;
  }
  void leave() { inside_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> inside_{false};
};

class ObjectLock {
 public:
  explicit ObjectLock(ObjectMutex& mutex) : mutex_(mutex) { mutex_.lock(); }
  ~ObjectLock() { mutex_.unlock(); }
  ObjectLock(const ObjectLock&) = delete;
  ObjectLock& operator=(const ObjectLock&) = delete;

 private:
  [[maybe_unused]] ObjectMutex& mutex_;
};

}  // namespace treadle::python
