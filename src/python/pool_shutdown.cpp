#include "python/pool_shutdown.hpp"

#include <algorithm>

#include "python/python_worker.hpp"
#include "python/running_calls.hpp"

namespace treadle::python {

struct Pool::RunningCall {
  RunningCalls::Found call;
  unsigned long thread;
};

void Pool::time_calls() {
  const auto now = RunningCalls::Clock::now();
  const ObjectLock lock(mutex_);
  times_calls_ = true;
  for (const Seat& seat : seats_) PythonWorker::of(seat.worker).calls().time_from(now);
}

std::vector<Pool::RunningCall> Pool::running_calls() {
  std::vector<RunningCall> running;
  std::vector<RunningCalls::Found> found;
  const ObjectLock lock(mutex_);
  for (const Seat& seat : seats_) {
    PythonWorker& worker = PythonWorker::of(seat.worker);
    worker.calls().find(found);
    for (RunningCalls::Found& call : found) {
      running.push_back({std::move(call), worker.thread_identity()});
    }
    found.clear();  // they were moved: no reference is dropped
  }
  return running;
}

std::size_t Pool::count_starting(bool anywhere) const {
  const unsigned long self = PyThread_get_thread_ident();
  std::size_t count = 0;
  const ObjectLock lock(mutex_);
  for (const Seat& seat : seats_) {
    const bool counts = anywhere || seat.starter == self;
    if (counts && PythonWorker::of(seat.worker).is_new()) ++count;
  }
  return count;
}

// In the child of a fork the thread that has forked is no worker any more: it has no seat.
bool Pool::is_worker_here() const {
  const PythonWorker* self = PythonWorker::current();
  const ObjectLock lock(mutex_);
  return self != nullptr && std::any_of(seats_.begin(), seats_.end(), [self](const Seat& seat) {
           return &PythonWorker::of(seat.worker) == self;
         });
}

PyObject* time_calls(Pool& pool) {
  pool.time_calls();
  Py_RETURN_NONE;
}

PyObject* running_calls(Pool& pool) {
  using Clock = RunningCalls::Clock;
  const std::vector<Pool::RunningCall> running = pool.running_calls();
  const Clock::time_point now = Clock::now();
  Ref list = Ref::steal(PyList_New(0));
  for (const Pool::RunningCall& one : running) {
    const Clock::time_point since{Clock::duration(one.call.since)};
    const double seconds =
        one.call.since == 0 ? 0.0 : std::chrono::duration<double>(now - since).count();
    PyObject* function = one.call.function.get();
    PyObject* name = name_of_call(function).release();
    const Ref entry = Ref::steal(Py_BuildValue("ONkLd", function, name, one.thread,
                                               static_cast<long long>(one.call.since), seconds));
    if (!list || !entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* is_worker_here(Pool& pool) { return PyBool_FromLong(pool.is_worker_here()); }

PyObject* count_starting(Pool& pool, PyObject* anywhere) {
  return PyLong_FromSize_t(pool.count_starting(PyObject_IsTrue(anywhere) == 1));
}

}  // namespace treadle::python
