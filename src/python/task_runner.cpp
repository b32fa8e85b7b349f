#include "python/task_runner.hpp"

#include "python/map_job.hpp"
#include "python/work_queue.hpp"

namespace treadle::python {

// An exception that another thread has sent (PyThreadState_SetAsyncExc) is for the task that ran
// then: one that came too late must hit neither the next task nor the end of the thread.
void drop_sent_exception() {
  if (PyThreadState_Get()->async_exc == nullptr) return;
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
}

bool TaskRunner::run(Task& task) {
  worker_.breather.breathe();
  if (task.kind() == kFutureTask) {
    future_ = &static_cast<Future&>(task);
    ran_ = future_->start();
    if (ran_) {
      run_started(*future_);
    } else {
      future_->discard_call();  // it was cancelled, or somebody else has run it
    }
    return future_->is_quiet();
  }
  future_ = nullptr;
  ++worker_.depth;
  if (task.kind() == kMapTask) {
    run_map_ticket(task, worker_.contexts, worker_.breather, worker_.depth > 1);
  } else {
    run_work_item(task);
  }
  --worker_.depth;
  return false;
}

void TaskRunner::run_started(Future& future) {
  CallShape shape;
  std::uint8_t positional = 0;
  const CallSlots slots = future.take_slots(shape, positional);
  Call call(slots, shape, positional);
  const Ref context = future.take_context();
  drop_sent_exception();
  Future* outer = std::exchange(worker_.running, &future);
  ++worker_.depth;
  outcome_ = Ref::steal(
      worker_.contexts.run([&] { return call.invoke(); }, context.get(), worker_.depth > 1));
  --worker_.depth;
  worker_.running = outer;
  failed_ = !outcome_;
  if (failed_) outcome_ = take_raised();
  drop_sent_exception();
  if (worker_.expects_wait && worker_.depth == 0) {
    worker_.expects_wait = false;
    if (Worker* extra = worker_.pool->scheduler().end_block()) extra->call();
  }
  // Here the references to the callable, the arguments and the context go: before the outcome is
  // visible, and before the worker counts as free.
}

const ParkingWord* TaskRunner::announce_started(Future& future) {
  return future.announce(std::move(outcome_), failed_);
}

const ParkingWord* TaskRunner::announce(Task&) {
  if (future_ == nullptr) return nullptr;
  const ParkingWord* waiting = ran_ ? announce_started(*future_) : nullptr;
  Py_DECREF(future_->object());  // the queue's reference
  return waiting;
}

}  // namespace treadle::python
