// What a running task can know of itself: `check_cancelled()` and `current_task()`.
//
// Thread safety: the functions look at the calling thread's own task; a CurrentTask may be handed
// to any thread, and outlives the task.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_current_task(PyObject* module);

}  // namespace treadle::python
