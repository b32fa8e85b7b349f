// The native half of treadle.testing.ManualExecutor: tasks run when they are told to, in the thread
// that tells them, and time passes when it is told to.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_manual_executor_type(PyObject* module);

}  // namespace treadle::python
