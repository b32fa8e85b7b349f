#include "python/pool_size.hpp"

#include <algorithm>

namespace treadle::python {

std::optional<KeepAlive> make_keep_alive(double seconds, Py_ssize_t min_workers) {
  if (seconds <= 0) return std::nullopt;
  // Neither so long that the end lies beyond the clock, nor so short that it is no time.
  constexpr std::chrono::duration<double> kLongest = std::chrono::hours(24 * 365 * 30);
  const auto time = std::chrono::duration_cast<Clock::duration>(
      std::min(std::chrono::duration<double>(seconds), kLongest));
  return KeepAlive{.time = std::max(time, Clock::duration(1)),
                   .min_workers = static_cast<std::size_t>(min_workers)};
}

PyObject* resize_pool(Pool& pool, PyObject* size) {
  const Py_ssize_t max_workers = PyNumber_AsSsize_t(size, PyExc_OverflowError);
  if (max_workers == -1 && PyErr_Occurred() != nullptr) return nullptr;
  const PoolPtr kept(&pool);  // starting a thread runs Python code
  const std::size_t reserved = pool.scheduler().reserved();
  if (static_cast<std::size_t>(max_workers) <= reserved) {
    PyErr_Format(PyExc_ValueError,
                 "max_workers must leave a worker besides the %zu that views have reserved, which "
                 "%zd does not",
                 reserved, max_workers);
    return nullptr;
  }
  const Scheduler::Pushed pushed = pool.scheduler().resize(static_cast<std::size_t>(max_workers));
  switch (pushed.refused) {
    case Closed::kNo:
      break;
    case Closed::kExit:
      PyErr_SetString(PyExc_RuntimeError, "cannot resize after interpreter shutdown");
      return nullptr;
    case Closed::kShutdown:
      PyErr_SetString(PyExc_RuntimeError, "cannot resize after shutdown");
      return nullptr;
    case Closed::kBroken:
      pool.raise_refused(pushed.refused);
      return nullptr;
  }
  if (!pool.follow_up_all(pushed) || !pool.widen_jobs()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* pool_size(Pool& pool) { return PyLong_FromSize_t(pool.scheduler().max_workers()); }

}  // namespace treadle::python
