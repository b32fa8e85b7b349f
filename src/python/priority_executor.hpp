// The native half of treadle.PriorityExecutor: a `submit` that may begin with a priority.
//
// Invariant: every task of such a pool has a rank, those of priority 0, too, so that each can be
// cancelled and moved without a walk through the queue.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool make_priority_executor_type(PyObject* module);

}  // namespace treadle::python
