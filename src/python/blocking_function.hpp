// Functions that have no use for a thread: called in one, they would do nothing but make a
// coroutine that nobody awaits.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

// False, with an error set that names the method, for a coroutine function.
[[nodiscard]] bool is_for_threads(PyObject* fn, const char* method);

// Whether it is sure at a glance that a call blocks.  False for what has to be looked at closely
// (coroutine_functions.py): callable objects, partials, generators of any kind.
[[nodiscard]] bool is_plainly_blocking(PyObject* fn);

}  // namespace treadle::python
