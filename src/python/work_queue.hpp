// Work items that come from outside: through `executor._work_queue`, the queue that the standard
// library's executor has, and that its own `submit` and some tools reach into.
//
// The Python side of the view is python/treadle/executors/_work_queue.py.
#pragma once

#include "python/pool.hpp"
#include "python/running_calls.hpp"

namespace treadle::python {

// Runs an item of the standard library's kind (`future`, and `fn`, `args`, `kwargs` or `task`).
void run_work_item(Task& task, WorkerStatistics& statistics, RunningCalls& calls);
// Lets go of a task that is no future, unrun.
void discard_task(Task& task);
// Ends a queued work item that no worker will run, as the standard library does: its future fails
// with the exception, or (null) is cancelled.
void end_work_item(Task& task, PyObject* exception);

// Methods of the executor: the oldest queued task as a work item, or None; adding one.
PyObject* take_item(Pool& pool);
PyObject* put_item(Pool& pool, PyObject* item);

}  // namespace treadle::python
