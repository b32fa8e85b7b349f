// How many threads a pool has: its keep-alive, and `resize`.
#pragma once

#include <optional>

#include "python/pool.hpp"

namespace treadle::python {

// `seconds` of 0: idle workers stay.
[[nodiscard]] std::optional<KeepAlive> make_keep_alive(double seconds, Py_ssize_t min_workers);

// Allows the pool as many threads as the integer `size` says, which is positive, and starts those
// that queued tasks want.  None; null with RuntimeError set after shutdown, or when there is no
// thread and none can be started.
[[nodiscard]] PyObject* resize_pool(Pool& pool, PyObject* size);

// The number of threads that it is allowed.
[[nodiscard]] PyObject* pool_size(Pool& pool);

}  // namespace treadle::python
