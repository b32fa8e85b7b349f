#include "python/time_limits.hpp"

#include <algorithm>
#include <atomic>

#include "python/future.hpp"
#include "python/gil.hpp"

namespace treadle::python {

namespace {

class SystemTime final : public TimeKeeper {
 public:
  [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }

  // The thread is a daemon: it is asleep when nothing is due, and the interpreter's end does not
  // wait for it.
  [[nodiscard]] bool attend() override {
    if (attended_.load(std::memory_order_relaxed) ||
        attended_.exchange(true, std::memory_order_relaxed)) {
      return true;
    }
    const Ref module = Ref::steal(PyImport_ImportModule("treadle._time_limits"));
    const Ref started =
        module ? Ref::steal(PyObject_CallMethod(module.get(), "start", nullptr)) : Ref();
    if (!started) attended_.store(false, std::memory_order_relaxed);  // the next one tries again
    return static_cast<bool>(started);
  }

  // The thread's work.
  void serve() {
    for (;;) {
      std::uint32_t seen = 0;
      const auto next = timers.next(seen);
      {
        const Detached detached;
        (void)park(timers.changed(), seen, next);
      }
      expire_due();
    }
  }

  void restart_in_child() {
    timers.reset_after_fork();
    // Their futures were given up, and with them what dead threads had of them.
    while (timers.pop_due(Clock::time_point::max()) != nullptr) continue;
    attended_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> attended_{false};  // relaxed: whoever comes second waits for nothing
};

// Never destroyed: its thread outlives everything.
SystemTime& system_keeper() {
  static SystemTime& instance = *[] {
    auto* keeper = new SystemTime;
    intrusive_ptr_add_ref(static_cast<TimeKeeper*>(keeper));
    return keeper;
  }();
  return instance;
}

PyObject* serve(PyObject*, PyObject*) {
  system_keeper().serve();
  Py_RETURN_NONE;
}

}  // namespace

void TimeKeeper::expire_due() {
  while (Timer* due = timers.pop_due(now())) {
    Future* future = static_cast<TimedOptions*>(due)->future();
    future->expire();
    if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(future->object());
    Py_DECREF(future->object());
  }
}

// Not the beginning of the clock: nothing is as early as no time at all.
Clock::time_point ManualTime::now() const {
  return Clock::time_point(std::chrono::hours(1)) +
         Clock::duration(since_start_.load(std::memory_order_relaxed));
}

void ManualTime::advance(Clock::duration by) {
  const Clock::time_point end = now() + by;
  for (;;) {
    std::uint32_t seen = 0;
    const Clock::time_point next = std::min(end, timers.next(seen).value_or(end));
    since_start_.fetch_add((std::max(next, now()) - now()).count(), std::memory_order_relaxed);
    expire_due();
    if (next == end) return;
  }
}

TimedOptions::TimedOptions(std::int64_t level, Clock::time_point deadline, SettingsPtr common,
                           TimeKeeperPtr keeper)
    : TaskOptions(level, std::move(common),
                  deadline == Clock::time_point::max()
                      ? kNoDeadline
                      : deadline.time_since_epoch() / std::chrono::nanoseconds(1)),
      keeper_(std::move(keeper)),
      stop_at_(deadline) {}

std::optional<double> TimedOptions::seconds_left() const {
  if (stop_at_ == Clock::time_point::max()) return std::nullopt;
  return std::max(0.0, std::chrono::duration<double>(stop_at_ - keeper_->now()).count());
}

bool TimedOptions::is_late() const {
  return deadline() != kNoDeadline &&
         keeper_->now().time_since_epoch() >= std::chrono::nanoseconds(deadline());
}

void TimedOptions::watch_queue(Future& future) {
  if (deadline() == kNoDeadline) return;
  Py_INCREF(future.object());
  const Clock::time_point at{std::chrono::nanoseconds(deadline())};
  if (!keeper_->timers.arm_first(*this, at)) Py_DECREF(future.object());  // it runs, with an end
  if (future.done()) stop_watching(future);
}

void TimedOptions::watch_run(Future& future) {
  if (settings() == nullptr || settings()->timeout == Clock::duration::zero())
    return;  // the deadline is armed
  stop_at_ = std::min(stop_at_, keeper_->now() + settings()->timeout);
  Py_INCREF(future.object());
  if (!keeper_->timers.arm(*this, stop_at_)) Py_DECREF(future.object());  // it had one already
}

void TimedOptions::stop_watching(Future& future) {
  if (keeper_->timers.disarm(*this)) Py_DECREF(future.object());
}

TimeKeeperPtr system_time() {
  TimeKeeperPtr keeper(&system_keeper());
  return keeper;
}

void forget_time_limits_in_child() { system_keeper().restart_in_child(); }

bool make_time_limits(PyObject* module) {
  static PyMethodDef functions[] = {{"_serve_time_limits", serve, METH_NOARGS, nullptr}, {}};
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace treadle::python
