#include "python/order.hpp"

#include <algorithm>

#include "python/caller_runs.hpp"

namespace treadle::python {

std::atomic<bool> limits_in_use{false};

namespace {

// The limits of the task that the calling thread runs, or null.
const TimedOptions* limits_of_submitter() {
  Future* task = current_future();
  return task != nullptr ? task->limits() : nullptr;
}

// When a task that is submitted now has to have started; max: it may wait for ever.
Clock::time_point deadline_of(const Pool& pool, const Settings* settings) {
  Clock::time_point deadline = Clock::time_point::max();
  if (settings != nullptr && settings->deadline != Clock::duration::zero()) {
    deadline = pool.time()->now() + settings->deadline;
  }
  const TimedOptions* outer = limits_of_submitter();
  const bool inherits = outer != nullptr && (settings == nullptr || settings->inherits);
  return inherits ? std::min(deadline, outer->stop_at()) : deadline;
}

// The settings of a view that leaves the priority open, for a task of which it is to be known.
SettingsPtr with_priority(SettingsPtr view, std::int64_t priority) {
  boost::intrusive_ptr<Settings> settings(new Settings);
  settings->priority = priority;
  settings->tells_priority = true;
  if (view->name) settings->name = Ref::borrow(view->name.get());
  settings->timeout = view->timeout;
  settings->reservation = view->reservation;
  settings->reserve = view->reserve;
  settings->view = std::move(view);
  return settings;
}

}  // namespace

bool read_call(const char* method, const Pool& pool, PyObject* const* arguments,
               Py_ssize_t positional, Submission& submission, Order& order) {
  const bool is_view = order.settings != nullptr;
  const bool fixed = is_view && order.settings->priority;
  if (fixed) order.priority = *order.settings->priority;
  const bool given =
      positional != 0 && pool.ranks_all() && !fixed && is_meant_as_priority(arguments[0]);
  if (given) {
    if (!read_priority(arguments[0], order.priority)) return false;
    ++arguments;
    --positional;
  }
  if (positional == 0) {
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: 'fn'%s", method,
                 given ? ", behind the priority" : "");
    return false;
  }
  if (is_view && PyCallable_Check(arguments[0]) == 0) {
    PyErr_Format(PyExc_TypeError, "%s() of a view%s takes a function first, not %R", method,
                 fixed ? " with a fixed priority" : " of a pool without priorities", arguments[0]);
    return false;
  }
  submission.arguments = arguments;
  submission.positional = positional - 1;
  return true;
}

bool find_limits_of_submitter() { return limits_of_submitter() != nullptr; }

bool give_options(Future& future, Pool& pool, Order order) {
  const Clock::time_point deadline = deadline_of(pool, order.settings.get());
  const bool timed = deadline != Clock::time_point::max() ||
                     (order.settings && order.settings->timeout != Clock::duration::zero());
  if (!timed && !order.settings && !pool.ranks_all() && order.priority == 0) return true;
  const std::int64_t level = pool.level_of(order.priority);
  if (!order.settings) {
    order.settings = pool.remember(order.priority);
  } else if (pool.ages() && !order.settings->priority) {
    order.settings = with_priority(std::move(order.settings), order.priority);
  }
  if (timed) {
    limits_in_use.store(true, std::memory_order_relaxed);
    std::unique_ptr<TimedOptions> options(
        new TimedOptions(level, deadline, std::move(order.settings), pool.time()));
    if (options) return future.set_options(std::move(options), pool.ranks_all());
  } else {
    std::unique_ptr<TaskOptions> options(new TaskOptions(level, std::move(order.settings)));
    if (options) {
      const bool ranked = pool.ranks_all() || options->matters();
      future.set_options(std::move(options), ranked);
      return true;
    }
  }
  PyErr_NoMemory();
  return false;
}

}  // namespace treadle::python
