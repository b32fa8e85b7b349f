#include "python/work_queue.hpp"

#include "python/map_job.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

struct WorkItemTask : Task {
  WorkItemTask(Ref owned, Moment now)
      : Task(kWorkItemTask), item(std::move(owned)), submission(now) {}
  Ref item;
  const Moment submission;
};

}  // namespace

void run_work_item(Task& task, WorkerStatistics& statistics, RunningCalls& calls) {
  const std::unique_ptr<WorkItemTask> owned(&static_cast<WorkItemTask&>(task));
  const RunningCalls::Scope running(calls, owned->item.get());
  // `run` of the standard item wants a worker's context from 3.14 on; ours takes care of either.
  const Moment started = statistics.start(owned->submission);
  const Ref module = Ref::steal(PyImport_ImportModule("treadle.executors._work_queue"));
  const Ref ran = module ? Ref::steal(unless_exiting([&] {
    return PyObject_CallMethod(module.get(), "run_work_item", "(O)", owned->item.get());
  }))
                         : Ref();
  if (!ran) PyErr_WriteUnraisable(owned->item.get());
  statistics.end_run(started);
  statistics.end(ran.get() == Py_None   ? Ending::kCancelled
                 : ran.get() == Py_True ? Ending::kResult
                                        : Ending::kException);
}

void discard_task(Task& task) {
  if (task.kind() == kMapTask) {
    discard_map_ticket(task);
  } else {
    delete &static_cast<WorkItemTask&>(task);
  }
}

void end_work_item(Task& task, PyObject* exception) {
  const std::unique_ptr<WorkItemTask> owned(&static_cast<WorkItemTask&>(task));
  const SavedError saved;
  const Ref future = Ref::steal(PyObject_GetAttrString(owned->item.get(), "future"));
  const Ref ended =
      !future ? Ref()
      : exception != nullptr
          ? Ref::steal(PyObject_CallMethod(future.get(), "set_exception", "O", exception))
          : Ref::steal(PyObject_CallMethod(future.get(), "cancel", nullptr));
  // Somebody else may have finished it.
  if (!ended && PyErr_ExceptionMatches(stdlib.invalid_state_error) == 0) {
    PyErr_WriteUnraisable(owned->item.get());
  }
  PyErr_Clear();
}

PyObject* take_item(Pool& pool) {
  Task* task = pool.scheduler().withdraw([](Task& at) { return at.kind() != kMapTask; });
  if (task == nullptr) Py_RETURN_NONE;
  if (task->kind() == kWorkItemTask) {
    pool.statistics().end_unstarted(Ending::kCancelled);
    const std::unique_ptr<WorkItemTask> owned(&static_cast<WorkItemTask&>(*task));
    return owned->item.release();
  }
  const Ref future = Ref::steal(static_cast<Future&>(*task).object());  // the queue's reference
  if (pool.bound() != nullptr) give_back_place(pool, static_cast<Future&>(*task));
  static_cast<Future&>(*task).leave_pool();
  CallParts parts;
  if (!static_cast<Future&>(*task).describe(parts)) return nullptr;
  const Ref module = Ref::steal(PyImport_ImportModule("treadle.executors._work_queue"));
  return module ? PyObject_CallMethod(module.get(), "WorkItem", "OOOO", future.get(),
                                      parts.fn.get(), parts.args.get(), parts.kwargs.get())
                : nullptr;
}

PyObject* put_item(Pool& pool, PyObject* item) {
  auto task = std::make_unique<WorkItemTask>(Ref::borrow(item), pool.statistics().submission());
  const Scheduler::Pushed pushed = pool.scheduler().push(*task);
  if (pushed.refused != Closed::kNo) {
    pool.raise_refused(pushed.refused);
    return nullptr;
  }
  WorkItemTask* queued = task.release();
  if (!pool.follow_up(pushed)) {
    const SavedError saved;
    if (Task* back = pool.scheduler().withdraw([&](Task& at) { return &at == queued; })) {
      pool.statistics().take_back();
      discard_task(*back);
    }
    return nullptr;
  }
  Py_RETURN_NONE;
}

}  // namespace treadle::python
