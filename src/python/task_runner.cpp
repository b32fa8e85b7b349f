#include "python/task_runner.hpp"

#include "python/call_report.hpp"
#include "python/map_job.hpp"
#include "python/merging.hpp"
#include "python/work_queue.hpp"

namespace treadle::python {

// An exception that another thread has sent (PyThreadState_SetAsyncExc) is for the task that ran
// then: one that came too late must hit neither the next task nor the end of the thread.
void drop_sent_exception(PyThreadState* thread) {
  if (thread->async_exc == nullptr) [[likely]]
    return;
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
}

bool TaskRunner::run(Task& task) {
  future_ = task.kind() == kFutureTask ? &static_cast<Future&>(task) : nullptr;
  if (future_ != nullptr) worker_.running.push_back(future_);
  if (worker_.breather.breathe()) worker_.statistics.expect_pause();
  merge_references(worker_.contexts.thread());
  if (future_ != nullptr) {
    Call call;
    Ref context;
    future_->follow_loop();
    future_->expire_if_late();
    ran_ = future_->start(call, context);
    if (ran_) {
      if (TimedOptions* limits = future_->limits()) limits->watch_run(*future_);
      make_call(*future_, call, std::move(context));
    } else {
      future_->leave_queue();  // it was cancelled, or somebody else has run it
      worker_.statistics.expect_pause();
    }
    end_expected_wait();
    const bool is_quiet = future_->is_quiet();
    if (!is_quiet) worker_.statistics.expect_pause();
    return is_quiet;
  }
  ++worker_.depth;
  worker_.running.push_back(nullptr);
  if (task.kind() == kMapTask) {
    run_map_ticket(task, worker_.seat, worker_.contexts, worker_.breather, worker_.statistics,
                   worker_.calls);
  } else {
    run_work_item(task, worker_.statistics, worker_.calls);
  }
  worker_.statistics.expect_pause();
  worker_.running.pop_back();
  --worker_.depth;
  end_expected_wait();
  return false;
}

// The references to the callable, the arguments and the context go here: before the outcome is
// visible, and before the worker counts as free.
void TaskRunner::make_call(Future& future, Call& call, Ref context) {
  PyThreadState* thread = worker_.contexts.thread();
  drop_sent_exception(thread);
  ++worker_.depth;
  const Moment started = worker_.statistics.start(call);
  const Call* outer = std::exchange(worker_.call, &call);
  {
    const RunningCalls::Scope running(worker_.calls, call.callable());
    outcome_ = Ref::steal(
        worker_.contexts.run([&] { return call.invoke(); }, context.get(), worker_.depth > 1));
  }
  worker_.call = outer;
  --worker_.depth;
  ending_ = Ending::kResult;
  if (!outcome_) {
    outcome_ = take_raised();
    ending_ = future.ending_with(outcome_.get());
  }
  drop_sent_exception(thread);
  if (worker_.task_view) [[unlikely]]
    worker_.task_view = Ref();
  if (started != 0 && reports_calls()) [[unlikely]] {
    report_call(call.callable(), call.first_argument(), call.submission(), started);
  }
  call.drop();
  if (started != 0) [[unlikely]]
    worker_.statistics.end_run(started);
  worker_.statistics.end(ending_);
}

const ParkingWord* TaskRunner::announce_outcome(Future& future) {
  return future.announce(std::move(outcome_), ending_);
}

void TaskRunner::run_out_of_turn(Future& future, Call& call, Ref context) {
  worker_.running.push_back(&future);
  const ParkingWord* waiting = nullptr;
  if (TimedOptions* limits = future.limits()) limits->watch_run(future);
  isolated([&] {  // the future's callbacks, too, must not touch the waiting task's variables
    make_call(future, call, std::move(context));
    waiting = announce_outcome(future);
  });
  worker_.running.pop_back();
  if (waiting != nullptr) unpark_all(waiting);
}

const ParkingWord* TaskRunner::announce(Task&) {
  const ParkingWord* waiting = nullptr;
  if (future_ != nullptr) {
    if (ran_) waiting = announce_outcome(*future_);
    worker_.running.pop_back();
    Py_DECREF(future_->object());  // the queue's reference
  }
  // Callbacks may have done what tasks may do.
  worker_.contexts.tidy();
  end_expected_wait();
  return waiting;
}

void TaskRunner::end_expected_wait() {
  if (!worker_.expects_wait || worker_.depth != 0) return;
  worker_.expects_wait = false;
  if (Worker* extra = worker_.pool->scheduler().end_block()) extra->call();
}

}  // namespace treadle::python
