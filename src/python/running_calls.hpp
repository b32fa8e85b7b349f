// What a worker is calling, for other threads to ask: `shutdown(timeout=)` names what it waits for.
//
// The calls of one worker are a stack: a task that waits may have another run on top of it
// (helping.hpp), and callbacks and the initializer are calls, too.  Each entry lies in the frame of
// the function that makes the call, which costs a few stores and no reference.  Clocks are read
// only after somebody has asked for times.
//
// Thread safety: a Scope belongs to the worker's thread; the rest, any attached thread.
// Invariant: an entry that can be found is whole, and what it calls is alive.  With a GIL that
// needs nothing, as a worker changes its stack attached only; without, the object mutex is held
// where an entry is taken away and where entries are read.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "python/gil.hpp"

namespace treadle::python {

class RunningCalls {
 public:
  using Clock = std::chrono::steady_clock;

  class Scope {
   public:
    // `function` is borrowed, and must be alive until the scope ends.
    Scope(RunningCalls& calls, PyObject* function)
        : calls_(calls),
          function_(function),
          outer_(calls.innermost_.load(std::memory_order_relaxed)) {
      // Only distinct instants matter, and the word itself is all that is shared.
      if (calls.timed_.load(std::memory_order_relaxed)) stamp(Clock::now());
      calls.innermost_.store(this, std::memory_order_release);  // pairs with the acquire in `find`
    }
    ~Scope() {
      const ObjectLock lock(calls_.mutex_);
      calls_.innermost_.store(outer_, std::memory_order_relaxed);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class RunningCalls;
    void stamp(Clock::time_point now) {
      since_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }

    RunningCalls& calls_;
    PyObject* const function_;
    Scope* const outer_;
    std::atomic<Clock::rep> since_{0};  // 0: nobody had asked when it began
  };

  // From now on calls have times; those that are being made count from `now`.
  void time_from(Clock::time_point now);

  struct Found {
    Ref function;
    Clock::rep since;
  };
  // Appends the calls that are being made, the outermost first.
  void find(std::vector<Found>& found);

 private:
  std::atomic<Scope*> innermost_{nullptr};
  std::atomic<bool> timed_{false};
  [[no_unique_address]] ObjectMutex mutex_;
};

// The qualified name of something callable, or of its type.
[[nodiscard]] Ref name_of_call(PyObject* callable);

}  // namespace treadle::python
