// The native half of treadle.ThreadPoolExecutor: a subclass of the standard one, which the Python
// class (python/treadle/executors/thread.py) extends.
#pragma once

#include "python/pool.hpp"

namespace treadle::python {

[[nodiscard]] bool make_executor_type(PyObject* module);

// An executor's pool, or null with an error set.
[[nodiscard]] Pool* pool_of(PyObject* executor);

// A future with its call, for the queue, from a vectorcall array that begins with the callable: a
// new reference, or null with an error set.
[[nodiscard]] PyObject* make_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                                  PyObject* keyword_names);
// Queues a new task, whose reference is taken: a new one, or null with an error set.
[[nodiscard]] PyObject* push_to_queue(Pool* pool, PyObject* task);

}  // namespace treadle::python
