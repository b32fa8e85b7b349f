#include "python/caller_runs.hpp"

#include "python/context.hpp"
#include "python/python_worker.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

thread_local const Outsider* innermost = nullptr;

int depth_of_worker() {
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr ? worker->depth() : 0;
}

// The outcome of a call that an outsider makes, and whether it failed.
Ref outcome_of(Call& call, PyObject* context, bool& failed) {
  Ref outcome =
      Ref::steal(WorkerContexts().run([&] { return call.invoke(); }, context, /*nested=*/true));
  failed = !outcome;
  if (failed) outcome = take_raised();
  call.drop();
  return outcome;
}

// True when the call was interrupted; the caller's wait for it is interrupted, too.
bool run_as_outsider(Future& future, Call& call, Ref context) {
  bool interrupted = false;
  isolated([&] {
    bool failed = false;
    Ref outcome;
    {
      const Outsider here(future, call);
      outcome = outcome_of(call, context.get(), failed);
    }
    context = Ref();
    interrupted = failed && is_main_thread() &&
                  PyErr_GivenExceptionMatches(outcome.get(), PyExc_KeyboardInterrupt) != 0;
    if (const ParkingWord* waiting = future.announce(std::move(outcome), failed)) {
      unpark_all(waiting);
    }
  });
  return interrupted;
}

}  // namespace

Outsider::Outsider(Future& future, const Call& call)
    : future_(future),
      call_(call),
      worker_depth_(depth_of_worker()),
      outer_(std::exchange(innermost, this)) {}

Outsider::~Outsider() { innermost = outer_; }

const Outsider* Outsider::current() {
  return innermost != nullptr && innermost->worker_depth_ == depth_of_worker() ? innermost
                                                                               : nullptr;
}

bool run_in_caller(Pool& pool, Future& future) {
  PythonWorker* worker = PythonWorker::current();
  if (worker != nullptr && &worker->pool() == &pool) {
    (void)worker->run_if_queued(future);
    return true;
  }
  if (Py_EnterRecursiveCall(" in a task that its submitter runs, as the queue is full") != 0) {
    return false;
  }
  Call call;
  Ref context;
  bool interrupted = false;
  if (future.start_out_of_turn(call, context)) {
    interrupted = run_as_outsider(future, call, std::move(context));
  }
  Py_LeaveRecursiveCall();
  if (interrupted) PyErr_SetNone(PyExc_KeyboardInterrupt);
  return !interrupted;
}

}  // namespace treadle::python
