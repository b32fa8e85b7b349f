#include "python/caller_runs.hpp"

#include "python/call_report.hpp"
#include "python/context.hpp"
#include "python/python_worker.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

thread_local Outsider* innermost_here = nullptr;

int depth_of_worker() {
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr ? worker->depth() : 0;
}

// The outcome of a call that an outsider makes, and how it ended.
Ref outcome_of(Future& future, Call& call, PyObject* context, WorkerStatistics& statistics,
               Ending& ending) {
  const Moment started = statistics.start(call);
  Ref outcome =
      Ref::steal(WorkerContexts().run([&] { return call.invoke(); }, context, /*nested=*/true));
  ending = Ending::kResult;
  if (!outcome) {
    outcome = take_raised();
    ending = future.ending_with(outcome.get());
  }
  if (started != 0 && reports_calls()) {
    report_call(call.callable(), call.first_argument(), call.submission(), started);
  }
  call.drop();
  statistics.end_run(started);
  statistics.end(ending);
  return outcome;
}

// True when the call was interrupted; the caller's wait for it is interrupted, too.
bool run_as_outsider(Pool& pool, Future& future, Call& call, Ref context) {
  bool interrupted = false;
  isolated([&] {
    Ending ending{};
    Ref outcome;
    {
      Outsider here(pool, future, call);
      if (TimedOptions* limits = future.limits()) limits->watch_run(future);
      outcome = outcome_of(future, call, context.get(), here.statistics(), ending);
    }
    context = Ref();
    interrupted = ending == Ending::kException && is_main_thread() &&
                  PyErr_GivenExceptionMatches(outcome.get(), PyExc_KeyboardInterrupt) != 0;
    if (const ParkingWord* waiting = future.announce(std::move(outcome), ending)) {
      unpark_all(waiting);
    }
  });
  return interrupted;
}

}  // namespace

Outsider::Outsider(Pool& pool, Future& future, const Call& call)
    : pool_(pool),
      future_(future),
      call_(call),
      statistics_(pool.statistics().has_histograms()),
      worker_depth_(depth_of_worker()),
      outer_(std::exchange(innermost_here, this)) {
  used_.store(true, std::memory_order_relaxed);
  pool.statistics().attach(statistics_);
}

Outsider::~Outsider() {
  pool_.statistics().detach(statistics_);
  innermost_here = outer_;
}

const Outsider* Outsider::find_current() {
  const Outsider* here = innermost_here;
  return here != nullptr && here->worker_depth_ == depth_of_worker() ? here : nullptr;
}

const Outsider* Outsider::innermost() { return innermost_here; }

Future* current_future() {
  if (const Outsider* outsider = Outsider::current()) return &outsider->future();
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr ? worker->current_future() : nullptr;
}

std::uint64_t Outsider::restart_in_child(Pool& pool) {
  std::uint64_t running = 0;
  for (Outsider* at = innermost_here; at != nullptr; at = at->outer_) {
    if (&at->pool_ != &pool) continue;
    running += pool.statistics().keep_in_child(at->statistics_);
    if (at->future_.was_asked_to_stop()) pool.statistics().abandon();
  }
  return running;
}

bool run_in_caller(Pool& pool, Future& future) {
  PythonWorker* worker = PythonWorker::current();
  if (worker != nullptr && &worker->pool() == &pool) {
    pool.scheduler().count_unqueued();
    (void)worker->run_if_queued(future);
    return true;
  }
  if (Py_EnterRecursiveCall(" in a task that its submitter runs, as the queue is full") != 0) {
    return false;
  }
  Call call;
  Ref context;
  bool interrupted = false;
  pool.scheduler().count_unqueued();
  future.expire_if_late();
  if (future.start_out_of_turn(call, context)) {
    interrupted = run_as_outsider(pool, future, call, std::move(context));
  }
  Py_LeaveRecursiveCall();
  if (interrupted) PyErr_SetNone(PyExc_KeyboardInterrupt);
  return !interrupted;
}

}  // namespace treadle::python
