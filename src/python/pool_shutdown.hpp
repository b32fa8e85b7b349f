// What a shutdown with a time limit must know of a pool, as methods of the executor.
#pragma once

#include "python/pool.hpp"

namespace treadle::python {

// From now on running calls have times.
PyObject* time_calls(Pool& pool);
// A list of (function, its name, the identity of the thread, when it began, seconds since then).
PyObject* running_calls(Pool& pool);
// How many threads have not begun; not `anywhere`: which the caller is in the middle of starting.
PyObject* count_starting(Pool& pool, PyObject* anywhere);
// Whether the caller is a worker of the pool, which cannot wait for the end of that.
PyObject* is_worker_here(Pool& pool);

}  // namespace treadle::python
