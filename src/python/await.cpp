// The iterator behind `await future`, on asyncio, loops with its interface, and trio.
//
// A future that is done answers at once, without a turn of the loop.  Otherwise the first step
// makes a future of the running loop, attaches it as a Delivery, and from then on delegates to
// that future's own iterator: the loop sees nothing but its own kind.  On trio it delegates to a
// coroutine (python/treadle/_trio.py).  No library is imported that does not run already.
//
// Thread safety: belongs to one coroutine.
// Invariant: an asyncio.CancelledError that is thrown in cancels the treadle future, which does
// nothing when it is done; so a cancelled awaiter takes its queued call along.

#include "python/await.hpp"

#include "python/future.hpp"
#include "python/helping.hpp"
#include "python/loop_bridge.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

struct Awaiter {
  PyObject_HEAD PyObject* future;
  PyObject* delegate;  // the loop's future's iterator, once there is one
};

PyTypeObject* awaiter_type = nullptr;

Awaiter& awaiter_of(PyObject* self) { return *reinterpret_cast<Awaiter*>(self); }

// The part of the package that knows trio, if the caller is one of its tasks; none otherwise, or
// (error set) when that part cannot be had.
Ref trio_bridge() {
  const Ref trio = Ref::steal(PyImport_GetModule(names.trio));
  if (!trio || trio.get() == Py_None) return {};  // nobody has imported it: it cannot run
  Ref bridge = Ref::steal(PyImport_ImportModule("treadle._trio"));
  const Ref running =
      bridge ? Ref::steal(PyObject_CallMethod(bridge.get(), "is_running", nullptr)) : Ref();
  if (running && running.get() == Py_True) return bridge;
  if (!running && PyErr_ExceptionMatches(PyExc_Exception) != 0) {
    PyErr_Clear();  // a trio that is broken, or too old to be asked: it does not run us
  }
  return {};
}

// Raises what asyncio raises in place of a StopIteration, which would look like the coroutine's
// result: its own future knows what that is in this version.
void raise_instead_of_stop_iteration(PyObject* exception) {
  const Ref asyncio = Ref::steal(PyImport_GetModule(names.asyncio));
  const Ref loop = asyncio && stdlib.load_asyncio()
                       ? Ref::steal(PyObject_CallNoArgs(stdlib.running_loop_or_none))
                       : Ref();
  const Ref future = loop && loop.get() != Py_None ? new_future_of(loop.get()) : Ref();
  if (future) {
    const Ref taken =
        Ref::steal(PyObject_CallMethodOneArg(future.get(), names.set_exception, exception));
    const Ref nothing =
        taken ? Ref::steal(PyObject_CallMethodNoArgs(future.get(), names.result)) : Ref();
  }
  if (PyErr_Occurred() != nullptr) return;
  const Ref raised = Ref::steal(
      PyObject_CallFunction(PyExc_RuntimeError, "s", "an awaited call has raised StopIteration"));
  if (!raised) return;
  PyException_SetCause(raised.get(), Py_NewRef(exception));
  raise_object(raised.get());
}

// The outcome of a future that is done; a new reference, or null with its exception set, which is
// asyncio's where asyncio has one of its own, unless trio runs.
PyObject* outcome(PyObject* self) {
  Future& future = Future::of(self);
  if (!future.wait_for_writers()) return nullptr;
  const bool cancelled = is_cancelled(future.state());
  const Ref exception = cancelled ? Ref() : Ref::steal(future.exception_or_null());
  if (!cancelled && !exception) return future.result_or_none();
  if (exception && PyErr_GivenExceptionMatches(exception.get(), PyExc_StopIteration) != 0) {
    raise_instead_of_stop_iteration(exception.get());
    return nullptr;
  }
  if (const Ref trio = trio_bridge()) {
    if (cancelled) PyErr_SetNone(stdlib.cancelled_error);
    if (exception) raise_object(exception.get());
  } else if (PyErr_Occurred() == nullptr && stdlib.load_asyncio()) {
    if (cancelled) PyErr_SetNone(stdlib.asyncio_cancelled_error);
    const Ref raised = exception ? as_asyncio_exception(exception.get()) : Ref();
    if (raised) raise_object(raised.get());
  }
  return nullptr;
}

// Delegates to a coroutine of trio's.  False with an error set.
bool delegate_to_trio(Awaiter& awaiter, PyObject* bridge) {
  expect_wait(Future::of(awaiter.future));
  const Ref coroutine = Ref::steal(PyObject_CallMethod(bridge, "wait", "O", awaiter.future));
  if (coroutine) awaiter.delegate = PyObject_CallMethod(coroutine.get(), "__await__", nullptr);
  return awaiter.delegate != nullptr;
}

// Attaches a future of the running loop.  False with an error set.
bool delegate_to_loop(Awaiter& awaiter) {
  if (const Ref trio = trio_bridge()) return delegate_to_trio(awaiter, trio.get());
  if (PyErr_Occurred() != nullptr || !stdlib.load_asyncio()) return false;
  const Ref loop = Ref::steal(PyObject_CallNoArgs(stdlib.get_running_loop));
  const Ref destination = loop ? new_future_of(loop.get()) : Ref();
  Ref iterator = destination ? Ref::steal(PyObject_GetIter(destination.get())) : Ref();
  if (!iterator) return false;
  const int attached =
      Future::of(awaiter.future).attach_loop_future(loop.get(), destination.get(), false);
  // When it fails to attach, the future is done: the caller looks again.
  if (attached == 1) awaiter.delegate = iterator.release();
  return attached >= 0;
}

PySendResult send(PyObject* self, PyObject* value, PyObject** result) {
  Awaiter& awaiter = awaiter_of(self);
  if (awaiter.delegate == nullptr) {
    if (!Future::of(awaiter.future).done() && !delegate_to_loop(awaiter)) return PYGEN_ERROR;
    if (awaiter.delegate == nullptr) {
      *result = outcome(awaiter.future);
      return *result != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
    }
  }
  return PyIter_Send(awaiter.delegate, value, result);
}

PyObject* step(PyObject* self, PyObject* value) {
  PyObject* result = nullptr;
  switch (send(self, value, &result)) {
    case PYGEN_NEXT:
      return result;
    case PYGEN_ERROR:
      return nullptr;
    case PYGEN_RETURN:
      break;
  }
  const Ref value_of_stop = Ref::steal(result);
  // Wrapped by hand: a tuple or an exception as the value would be taken for constructor
  // arguments.
  const Ref stop = Ref::steal(PyObject_CallOneArg(PyExc_StopIteration, value_of_stop.get()));
  if (stop) PyErr_SetObject(PyExc_StopIteration, stop.get());
  return nullptr;
}

PyObject* next(PyObject* self) { return step(self, Py_None); }

// Whether the exception that is thrown in is asyncio's way to cancel.
bool is_asyncio_cancellation(PyObject* thrown) {
  const Ref asyncio = Ref::steal(PyImport_GetModule(names.asyncio));
  if (!asyncio || !stdlib.load_asyncio()) {
    PyErr_Clear();
    return false;
  }
  return PyErr_GivenExceptionMatches(thrown, stdlib.asyncio_cancelled_error) != 0;
}

PyObject* throw_in(PyObject* self, PyObject* args) {
  Awaiter& awaiter = awaiter_of(self);
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  if (PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback) == 0) return nullptr;
  if (is_asyncio_cancellation(type) && Future::of(awaiter.future).cancel() < 0) return nullptr;
  if (awaiter.delegate != nullptr) {
    const Ref method = Ref::steal(PyObject_GetAttrString(awaiter.delegate, "throw"));
    return method ? PyObject_Call(method.get(), args, nullptr) : nullptr;
  }
  if (PyExceptionInstance_Check(type)) {
    raise_object(type);
  } else {
    PyErr_SetObject(type, value != nullptr ? value : Py_None);
  }
  return nullptr;
}

PyObject* close(PyObject* self, PyObject*) {
  Awaiter& awaiter = awaiter_of(self);
  if (awaiter.delegate == nullptr) Py_RETURN_NONE;
  const Ref delegate = Ref::steal(std::exchange(awaiter.delegate, nullptr));
  return PyObject_CallMethod(delegate.get(), "close", nullptr);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(awaiter_of(self).future);
  Py_VISIT(awaiter_of(self).delegate);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(awaiter_of(self).future);
  Py_CLEAR(awaiter_of(self).delegate);
  return 0;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

PyObject* await_future(PyObject* future) {
  PyObject* self = awaiter_type->tp_alloc(awaiter_type, 0);
  if (self != nullptr) awaiter_of(self).future = Py_NewRef(future);
  return self;
}

bool make_await_type(PyObject* module) {
  static PyMethodDef methods[] = {{"send", step, METH_O, nullptr},
                                  {"throw", throw_in, METH_VARARGS, nullptr},
                                  {"close", close, METH_NOARGS, nullptr},
                                  {}};
  static PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("What `await future` runs.")},
                                {Py_tp_iter, function_slot(&PyObject_SelfIter)},
                                {Py_tp_iternext, function_slot(&next)},
                                {Py_am_send, function_slot(&send)},
                                {Py_am_await, function_slot(&PyObject_SelfIter)},
                                {Py_tp_methods, methods},
                                {Py_tp_traverse, function_slot(&traverse)},
                                {Py_tp_clear, function_slot(&clear)},
                                {Py_tp_dealloc, function_slot(&deallocate)},
                                {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.FutureAwaiter", sizeof(Awaiter), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  awaiter_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return awaiter_type != nullptr &&
         PyModule_AddObjectRef(module, "FutureAwaiter",
                               reinterpret_cast<PyObject*>(awaiter_type)) == 0;
}

}  // namespace treadle::python
