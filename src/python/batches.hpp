// Many calls at once: `submit_many` and `map` of the executors.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

// submit_many(fn, *iterables)
PyObject* submit_many(PyObject* executor, PyObject* args);
// _map(fn, iterables, timeout, ordered): the iterator of `map` and `map_unordered`.
PyObject* map(PyObject* executor, PyObject* args);
// _may_batch(iterables): whether `map` may take its items all at once and submit them by itself.
PyObject* may_batch(PyObject* executor, PyObject* iterables);

}  // namespace treadle::python
