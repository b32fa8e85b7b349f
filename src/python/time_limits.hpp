// Deadlines and the longest run of tasks: a queued task whose time is up fails, a running one is
// asked to stop.
//
// One thread serves all pools, started with the first limit.  A pool with a clock of its own
// (testing.py) has no thread: whoever moves the clock does its work.
//
// Thread safety: any attached thread.
// Invariants:
//  1. An armed limit holds a reference to its future, which whoever disarms it gives back.
//  2. A future that is done has no armed limit, or will have none in a moment: whoever ended it
//     disarms it.
#pragma once

#include <atomic>

#include "core/timer_queue.hpp"
#include "python/python_api.hpp"
#include "python/task_options.hpp"

namespace treadle::python {

class Future;

// Which time a pool lives in.
class TimeKeeper : public Shared<TimeKeeper> {
 public:
  virtual ~TimeKeeper() = default;
  [[nodiscard]] virtual Clock::time_point now() const = 0;
  // Whether it passes by itself, as `Clock` does.
  [[nodiscard]] virtual bool passes() const { return true; }
  // Sees to it that `expire_due` is called in time.  False with an error set.
  [[nodiscard]] virtual bool attend() = 0;

  // Ends, or asks to stop, whatever is due.
  void expire_due();

  TimerQueue timers;
};

using TimeKeeperPtr = boost::intrusive_ptr<TimeKeeper>;

// The options of a task that has a limit.
class TimedOptions : public TaskOptions, public Timer {
 public:
  TimedOptions(std::int64_t level, Clock::time_point deadline, SettingsPtr common,
               TimeKeeperPtr keeper);

  // Before the task is queued; false with an error set.
  [[nodiscard]] bool prepare() { return keeper_->attend(); }
  // When it is queued; it may have begun, and ended, already.
  void watch_queue(Future& future);
  // When its call begins.
  void watch_run(Future& future);
  // The future is done.
  void stop_watching(Future& future);
  // Whether the deadline has passed for a task that has not started.
  [[nodiscard]] bool is_late() const;
  // Whether the call has run long enough.
  [[nodiscard]] bool run_is_over() const { return keeper_->now() >= stop_at_; }
  // The latest that the call may run; max: no limit.
  [[nodiscard]] Clock::time_point stop_at() const { return stop_at_; }
  // When whoever sleeps has to look whether it is over; none: never, or somebody will tell.
  [[nodiscard]] Deadline look_at() const {
    const bool known = keeper_->passes() && stop_at_ != Clock::time_point::max();
    return known ? Deadline(stop_at_) : std::nullopt;
  }
  // Seconds until then, at least 0; none: no limit.
  [[nodiscard]] std::optional<double> seconds_left() const;
  // Whose options these are.  Set before the future is queued.
  [[nodiscard]] Future* future() const { return future_; }
  void belong_to(Future& future) { future_ = &future; }

 private:
  const TimeKeeperPtr keeper_;
  Clock::time_point stop_at_ = Clock::time_point::max();
  Future* future_ = nullptr;
};

// A time that passes only when it is told to, for tests.
class ManualTime final : public TimeKeeper {
 public:
  [[nodiscard]] Clock::time_point now() const override;
  [[nodiscard]] bool passes() const override { return false; }
  [[nodiscard]] bool attend() override { return true; }
  // What becomes due on the way happens at its own time.
  void advance(Clock::duration by);

 private:
  std::atomic<Clock::rep> since_start_{0};  // relaxed: one thread moves it
};

// The time of all pools but those of tests.
[[nodiscard]] TimeKeeperPtr system_time();
[[nodiscard]] bool make_time_limits(PyObject* module);
// In the child of a fork, where neither the thread nor most of the tasks exist.
void forget_time_limits_in_child();

}  // namespace treadle::python
