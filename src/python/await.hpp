// `await future`.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_await_type(PyObject* module);

// `future.__await__()`: an iterator for a coroutine to delegate to.
[[nodiscard]] PyObject* await_future(PyObject* future);

}  // namespace treadle::python
