// The native half of treadle.ThreadPoolExecutor: a subclass of the standard one, which the Python
// class (python/treadle/executors/thread.py) extends.
#pragma once

#include "python/order.hpp"

namespace treadle::python {

[[nodiscard]] bool make_executor_type(PyObject* module);

// ---- for those who submit in other ways (priority_executor.cpp, view.cpp)

// A call as `submit` gets it: the function, and `positional` arguments behind it.
struct Submission {
  PyObject* const* arguments;
  Py_ssize_t positional;
  PyObject* keyword_names;
};

// The executor's type, and its pool: null, with an error set, before `__init__`.
[[nodiscard]] PyTypeObject* executor_base();
[[nodiscard]] Pool* pool_of(PyObject* executor);
// Whether a tool has replaced `submit` of the standard class, and the way through its replacement.
[[nodiscard]] bool standard_submit_replaced();
[[nodiscard]] PyObject* submit_by_standard(PyObject* executor, const Submission& submission);
// A future for the call, queued.  Null with an error set.
[[nodiscard]] PyObject* submit_ordered(PyObject* executor, const Submission& submission,
                                       Order order);
// The same for asyncio's `run_in_executor`: the loop's own future, with the task behind it.
[[nodiscard]] PyObject* submit_for_loop(PyObject* executor, PyObject* loop,
                                        const Submission& submission, Order order);

}  // namespace treadle::python
