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

// Takes a place at once, or within the time.  A worker of the pool has somebody in its place while
// it waits.
Room find_room(Pool& pool, Places& places, Deadline deadline) {
  if (places.take() != 0) return Room::kTaken;
  PythonWorker* worker = PythonWorker::current();
  if (worker != nullptr && &worker->pool() != &pool) worker = nullptr;
  const BlockedWorker blocked(worker);
  return wait_for_room(pool, places, deadline);
}

// A new task; none with an error set.
Ref read_task(const char* method, Pool& pool, SettingsPtr settings, PyObject* const* arguments,
              Py_ssize_t positional, PyObject* keyword_names) {
  Submission submission{nullptr, 0, keyword_names};
  Order order{0, std::move(settings)};
  if (!read_call(method, pool, arguments, positional, submission, order)) return {};
  return make_ordered_task(pool, submission, std::move(order));
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

PyObject* try_submit_to(Pool& pool, SettingsPtr settings, PyObject* const* arguments,
                        Py_ssize_t positional, PyObject* keyword_names) {
  Ref task =
      read_task("try_submit", pool, std::move(settings), arguments, positional, keyword_names);
  if (!task) return nullptr;
  if (pool.bound() == nullptr) return push_to_queue(&pool, task.release());
  if (places_of(pool, Future::of(task.get())).take() != 0) {
    return push_placed(pool, task.release());
  }
  const Closed closed = pool.scheduler().closed();
  if (closed == Closed::kNo) Py_RETURN_NONE;
  pool.raise_refused(closed);
  return nullptr;
}

PyObject* try_submit_native(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                            PyObject* keyword_names) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? try_submit_to(*pool, {}, arguments, positional, keyword_names) : nullptr;
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

PyObject* submit_in_time_to(Pool& pool, SettingsPtr settings, PyObject* const* arguments,
                            Py_ssize_t positional, PyObject* keyword_names) {
  Deadline deadline;
  if (!parse_timeout(arguments[0], deadline)) return nullptr;
  const PoolPtr kept(&pool);
  Ref task = read_task("_submit_in_time", pool, std::move(settings), arguments + 1, positional - 1,
                       keyword_names);
  if (!task) return nullptr;
  if (pool.bound() == nullptr) return push_to_queue(&pool, task.release());
  switch (find_room(pool, places_of(pool, Future::of(task.get())), deadline)) {
    case Room::kTaken:
      return push_in_room(pool, task.release());
    case Room::kTimedOut:
      Py_RETURN_NONE;
    case Room::kError:
      break;
  }
  return nullptr;
}

PyObject* submit_in_time(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                         PyObject* keyword_names) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? submit_in_time_to(*pool, {}, arguments, positional, keyword_names)
                         : nullptr;
}

PyObject* ask_for_place_of(Pool& pool, SettingsPtr settings) {
  return pool.bound() != nullptr ? ask_for_place(pool, std::move(settings))
                                 : PyTuple_Pack(2, Py_None, Py_None);
}

PyObject* ask_for_place_method(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? ask_for_place_of(*pool, {}) : nullptr;
}

}  // namespace treadle::python
