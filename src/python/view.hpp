// A view on a pool: an executor whose tasks have options.
//
// Thread safety: any attached thread; a view never changes, but for its end.
// Invariant: a view holds its executor, so a pool is not closed under its views.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_view_type(PyObject* module);

}  // namespace treadle::python
