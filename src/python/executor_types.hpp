// All kinds of executors, as types of the module.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_executor_types(PyObject* module);

}  // namespace treadle::python
