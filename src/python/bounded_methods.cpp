#include "python/bounded_methods.hpp"

#include <algorithm>
#include <string_view>

#include "python/helping.hpp"
#include "python/python_worker.hpp"
#include "python/room.hpp"
#include "python/standard_submit.hpp"
#include "python/submission.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

bool has_callable(const char* method, Py_ssize_t positional) {
  if (positional != 0) return true;
  PyErr_Format(PyExc_TypeError,
               "ThreadPoolExecutor.%s() missing 1 required positional argument: 'fn'", method);
  return false;
}

// Takes a place at once, or within the time.  A worker of the pool has somebody in its place while
// it waits.
Room find_room(Pool& pool, Deadline deadline) {
  if (pool.bound()->places.take() != 0) return Room::kTaken;
  PythonWorker* worker = PythonWorker::current();
  if (worker != nullptr && &worker->pool() != &pool) worker = nullptr;
  const BlockedWorker blocked(worker);
  return wait_for_room(pool, deadline);
}

}  // namespace

PyObject* set_bound(PyObject* self, PyObject* args) {
  Py_ssize_t max_pending = 0;
  const char* name = nullptr;
  if (PyArg_ParseTuple(args, "ns:_bound", &max_pending, &name) == 0) return nullptr;
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  const std::string_view policy(name);
  const WhenFull when_full = policy == "raise"         ? WhenFull::kRaise
                             : policy == "run"         ? WhenFull::kRun
                             : policy == "drop_oldest" ? WhenFull::kDropOldest
                                                       : WhenFull::kBlock;
  // More than memory can hold is no bound at all, and would not fit into a counter.
  pool->set_bound(std::min(static_cast<std::size_t>(max_pending), std::size_t{1} << 60), when_full);
  Py_RETURN_NONE;
}

PyObject* try_submit_native(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                            PyObject* keyword_names) {
  Pool* pool = pool_of(self);
  if (pool == nullptr || !has_callable("try_submit", positional)) return nullptr;
  Ref task = make_ordered_task(*pool, {arguments, positional - 1, keyword_names}, {});
  if (!task) return nullptr;
  if (pool->bound() == nullptr) return push_to_queue(pool, task.release());
  if (pool->bound()->places.take() != 0) return push_placed(*pool, task.release());
  const Closed closed = pool->scheduler().closed();
  if (closed == Closed::kNo) Py_RETURN_NONE;
  pool->raise_refused(closed);
  return nullptr;
}

PyObject* try_submit(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                     PyObject* keyword_names) {
  if (!standard_submit_replaced()) {
    return try_submit_native(self, arguments, positional, keyword_names);
  }
  const Ref method = Ref::steal(PyObject_GetAttrString(self, "_try_submit_by_standard"));
  return method ? PyObject_Vectorcall(method.get(), arguments, static_cast<std::size_t>(positional),
                                      keyword_names)
                : nullptr;
}

PyObject* submit_was_replaced(PyObject*, PyObject*) {
  return PyBool_FromLong(standard_submit_replaced());
}

PyObject* submit_in_time(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                         PyObject* keyword_names) {
  Pool* pool = pool_of(self);
  Deadline deadline;
  if (pool == nullptr || !has_callable("_submit_in_time", positional - 1) ||
      !parse_timeout(arguments[0], deadline)) {
    return nullptr;
  }
  const PoolPtr kept(pool);
  Ref task = make_ordered_task(*pool, {arguments + 1, positional - 2, keyword_names}, {});
  if (!task) return nullptr;
  if (pool->bound() == nullptr) return push_to_queue(pool, task.release());
  switch (find_room(*pool, deadline)) {
    case Room::kTaken:
      return push_in_room(*pool, task.release());
    case Room::kTimedOut:
      Py_RETURN_NONE;
    case Room::kError:
      break;
  }
  return nullptr;
}

PyObject* ask_for_place_method(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  return pool->bound() != nullptr ? ask_for_place(*pool) : PyTuple_Pack(2, Py_None, Py_None);
}

}  // namespace treadle::python
