// What a final state of a future sets in motion.
//
// The order is the standard library's: standard waiters are told and the condition is notified
// (both while its lock is held), sleepers are woken, event loops are told, then callbacks run, in
// the order in which they were added.

#include "python/future_transition.hpp"
#include "python/log.hpp"
#include "python/loop_bridge.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// What a signal handler raises while an outcome is being delivered: it stops nothing, and is raised
// when all is done.
class Interruption {
 public:
  // Takes the exception that is set, and reports it unless it is to be raised.
  void take(PyObject* future) {
    if (PyErr_ExceptionMatches(PyExc_Exception) != 0 || raised_) {
      PyErr_WriteUnraisable(future);
    } else {
      raised_ = take_raised();
    }
  }
  // False with the exception set, or (`log_everything`) reported, if there was one.
  [[nodiscard]] bool pass(PyObject* future, bool log_everything) {
    if (!raised_) return true;
    raise_object(raised_.get());
    if (!log_everything) return false;
    PyErr_WriteUnraisable(future);
    return true;
  }

 private:
  Ref raised_;
};

// Tells the standard waiters.  Errors of home-made ones must not stop the others.
void tell_waiters(PyObject* waiters, PyObject* method, PyObject* future,
                  Interruption& interruption) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiters); ++i) {
    const Ref waiter = Ref::borrow(PyList_GET_ITEM(waiters, i));
    const Ref told = Ref::steal(
        unless_exiting([&] { return PyObject_CallMethodOneArg(waiter.get(), method, future); }));
    if (!told) interruption.take(future);
  }
}

}  // namespace

// Everything that follows a final state, in order.  With `log_everything` nothing is raised;
// without, a BaseException that is no Exception is (false, error set).
bool Future::deliver(Delivered& delivered, bool log_everything) {
  PyObject* self = object();
  Interruption interruption;
  if (timed_) limits()->stop_watching(*this);
  if (delivered.waiters) {
    PyObject* method = delivered.state == State::kCancelledAndNotified ? names.add_cancelled
                       : delivered.failed                              ? names.add_exception
                                                                       : names.add_result;
    tell_waiters(delivered.waiters.get(), method, self, interruption);
  }
  if (FutureCondition* condition = delivered.hold.held()) {
    if (!condition->notify_waiters(PY_SSIZE_T_MAX)) interruption.take(self);
    delivered.hold.release();
  }
  if (delivered.awaited) unpark_all(&word_);
  if (delivered.deliveries != nullptr &&
      !deliver_to_loops(std::exchange(delivered.deliveries, nullptr), self)) {
    interruption.take(self);
  }
  if (delivered.callbacks && !invoke_callbacks(delivered.callbacks.get(), log_everything)) {
    return false;
  }
  return interruption.pass(self, log_everything);
}

namespace {

// Calls a callback; a worker has it among its running calls meanwhile.
PyObject* call_running(PyObject* callback, PyObject* future) {
  const auto call = [&] {
    return unless_exiting([&] { return PyObject_CallOneArg(callback, future); });
  };
  PythonWorker* worker = PythonWorker::current();
  if (worker == nullptr) return call();
  const RunningCalls::Scope running(worker->calls(), callback);
  return call();
}

}  // namespace

bool Future::call_callback(PyObject* callback, bool log_everything) {
  const Ref called = Ref::steal(call_running(callback, object()));
  if (called) return true;
  if (!log_everything && PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
  const Ref exception = take_raised();
  log("exception", "exception calling callback for %r", object(), exception.get());
  return true;
}

// Calls the callbacks and lets go of them; the standard library keeps them in the list.
bool Future::invoke_callbacks(PyObject* callbacks, bool log_everything) {
  if (!is_exact(object())) {  // a subclass may override the method
    const Ref invoked = Ref::steal(unless_exiting(
        [&] { return PyObject_CallMethodNoArgs(object(), names.invoke_callbacks); }));
    if (!invoked && log_everything) PyErr_WriteUnraisable(object());
    return invoked || log_everything;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks); ++i) {
    const Ref callback = Ref::borrow(PyList_GET_ITEM(callbacks, i));
    if (!call_callback(callback.get(), log_everything)) return false;
  }
  return PyList_SetSlice(callbacks, 0, PY_SSIZE_T_MAX, nullptr) == 0;
}

}  // namespace treadle::python
