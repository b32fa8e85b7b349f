// The native half of treadle.ThreadPoolExecutor: a subclass of the standard one, which the Python
// class (python/treadle/executors/thread.py) extends.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_executor_type(PyObject* module);

}  // namespace treadle::python
