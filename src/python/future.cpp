// The Python face of Future: its type and methods.

#include "python/future.hpp"

#include "python/arguments.hpp"
#include "python/await.hpp"
#include "python/family.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

HeapType<Future> Future::type_;

PyObject* Future::make() {
  PyObject* self = type_.allocate(type_.type());
  if (self != nullptr) PyObject_GC_UnTrack(self);  // invariant 5
  return self;
}

struct FutureSlots {
  // ---- life

  static PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
    return Future::type_.allocate(type);
  }

  static int init(PyObject*, PyObject* args, PyObject* kwargs) {
    const Py_ssize_t given = PyTuple_GET_SIZE(args) + (kwargs == nullptr ? 0 : PyDict_Size(kwargs));
    if (given == 0) return 0;
    PyErr_Format(PyExc_TypeError,
                 "Future.__init__() takes 1 positional argument but %zd were given", given + 1);
    return -1;
  }

  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Future& future = Future::of(self);
    Py_VISIT(Py_TYPE(self));
    if (const int stop = visit_dictionary(self, visit, arg)) return stop;
    if (future.shape_ != CallShape::kEmpty) {
      if (const int stop =
              visit_call(future.slots_, future.shape_, future.positional_, visit, arg)) {
        return stop;
      }
    } else {
      Py_VISIT(future.slots_[0]);
      Py_VISIT(future.slots_[1]);
    }
    Py_VISIT(future.context_);
    const Attachments* attachments = future.attachments_;
    if (attachments == nullptr) return 0;
    Py_VISIT(attachments->callbacks);
    Py_VISIT(attachments->waiters);
    Py_VISIT(reinterpret_cast<PyObject*>(attachments->condition));
    if (attachments->family != nullptr) {
      if (const int stop = attachments->family->traverse(visit, arg)) return stop;
    }
    for (const Delivery* at = attachments->deliveries; at != nullptr; at = at->next) {
      Py_VISIT(at->queue.get());
      Py_VISIT(at->destination.get());
    }
    return 0;
  }

  static void clear_fields(PyObject* self) {
    Future& future = Future::of(self);
    future.discard_call();
    Py_CLEAR(future.slots_[0]);
    Py_CLEAR(future.slots_[1]);
    Attachments* attachments = std::exchange(future.attachments_, nullptr);
    if (attachments == nullptr) return;
    Py_CLEAR(attachments->callbacks);
    Py_CLEAR(attachments->waiters);
    Py_XDECREF(reinterpret_cast<PyObject*>(attachments->condition));
    delete attachments->family;
    while (attachments->deliveries != nullptr) {
      Delivery* delivery = attachments->deliveries;
      attachments->deliveries = delivery->next;
      delete delivery;
    }
    delete attachments;
  }

  static int clear(PyObject* self) {
    clear_fields(self);
    clear_dictionary(self);
    return 0;
  }

  static void deallocate(PyObject* self) {
    Future::type_.deallocate(self, deallocate, clear_fields);
  }

  // ---- state

  static PyObject* cancel(PyObject* self, PyObject*) {
    const int cancelled = Future::of(self).cancel();
    return cancelled < 0 ? nullptr : PyBool_FromLong(cancelled);
  }

  static PyObject* request_cancel(PyObject* self, PyObject*) {
    const int requested = Future::of(self).request_cancel();
    return requested < 0 ? nullptr : PyBool_FromLong(requested);
  }

  static PyObject* cancelled(PyObject* self, PyObject*) {
    return PyBool_FromLong(is_cancelled(Future::of(self).state()));
  }

  static PyObject* running(PyObject* self, PyObject*) {
    return PyBool_FromLong(Future::of(self).state() == State::kRunning);
  }

  static PyObject* done(PyObject* self, PyObject*) {
    return PyBool_FromLong(Future::of(self).done());
  }

  // ---- outcome

  static PyObject* or_none(PyObject* object) {
    return object != nullptr ? object : Py_NewRef(Py_None);
  }

  static bool wait(Future& future, const char* function, PyObject* const* arguments,
                   Py_ssize_t positional, PyObject* keyword_names) {
    PyObject* timeout = Py_None;
    if ((positional != 0 || keyword_names != nullptr) &&
        !read_optional(function, "timeout", arguments, positional, keyword_names, timeout)) {
      return false;
    }
    if (!future.done()) {
      Deadline deadline;
      if (!parse_timeout(timeout, deadline) || !future.wait(deadline)) return false;
    }
    if (!future.wait_for_writers()) return false;
    if (!is_cancelled(future.state())) return true;
    PyErr_SetNone(stdlib.cancelled_error);
    return false;
  }

  static PyObject* result(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                          PyObject* keyword_names) {
    Future& future = Future::of(self);
    if (!wait(future, "Future.result", arguments, positional, keyword_names)) return nullptr;
    if (PyObject* exception = future.stored(1)) {
      raise_object(exception);
      Py_DECREF(exception);
      return nullptr;
    }
    return future.result_or_none();
  }

  static PyObject* exception(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                             PyObject* keyword_names) {
    Future& future = Future::of(self);
    if (!wait(future, "Future.exception", arguments, positional, keyword_names)) return nullptr;
    return or_none(future.stored(1));
  }

  static PyObject* get_snapshot(PyObject* self, PyObject*) {
    Future& future = Future::of(self);
    if (!future.wait_for_writers()) return nullptr;
    const State state = future.state();
    const bool finished = state == State::kFinished;
    return Py_BuildValue("(OONN)", is_done(state) ? Py_True : Py_False,
                         is_cancelled(state) ? Py_True : Py_False,
                         or_none(finished ? future.stored(0) : nullptr),
                         or_none(finished ? future.stored(1) : nullptr));
  }

  static PyObject* set_result(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                              PyObject* keyword_names) {
    PyObject* result =
        read_required("Future.set_result", "result", arguments, positional, keyword_names);
    if (result == nullptr || !Future::of(self).finish(result, false)) return nullptr;
    Py_RETURN_NONE;
  }

  static PyObject* set_exception(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                                 PyObject* keyword_names) {
    PyObject* exception =
        read_required("Future.set_exception", "exception", arguments, positional, keyword_names);
    if (exception == nullptr || !Future::of(self).finish(exception, true)) return nullptr;
    Py_RETURN_NONE;
  }

  static PyObject* set_running_or_notify_cancel(PyObject* self, PyObject*) {
    const int running = Future::of(self).set_running_or_notify_cancel();
    return running < 0 ? nullptr : PyBool_FromLong(running);
  }

  // ---- callbacks

  static PyObject* add_done_callback(PyObject* self, PyObject* const* arguments,
                                     Py_ssize_t positional, PyObject* keyword_names) {
    PyObject* callback =
        read_required("Future.add_done_callback", "fn", arguments, positional, keyword_names);
    if (callback == nullptr || !Future::of(self).add_done_callback(callback)) return nullptr;
    Py_RETURN_NONE;
  }

  // Only subclasses that override it reach this one; see `Future::invoke_callbacks`.
  static PyObject* invoke_callbacks(PyObject* self, PyObject*) {
    Future& future = Future::of(self);
    Ref callbacks;
    {
      const ObjectLock lock(future.mutex_);
      if (future.attachments_ != nullptr) {
        callbacks = Ref::borrow(future.attachments_->callbacks);
      }
    }
    if (!callbacks) Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks.get()); ++i) {
      const Ref callback = Ref::borrow(PyList_GET_ITEM(callbacks.get(), i));
      if (!future.call_callback(callback.get(), false)) return nullptr;
    }
    Py_RETURN_NONE;
  }

  // ---- the rest of the interface

  static PyObject* repr(PyObject* self) {
    Future& future = Future::of(self);
    static constexpr const char* kWords[] = {"pending", "running", "cancelled", "cancelled",
                                             "finished"};
    const State state = future.state();
    // Printed by `%S`: a metaclass may make a name anything.
    const Ref type_name =
        Ref::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(self)), "__name__"));
    if (!type_name) return nullptr;
    // `%#x` of id(self), as the standard library prints it.
    char address[32];
    PyOS_snprintf(address, sizeof address, "%#zx", reinterpret_cast<std::size_t>(self));
    const char* word = kWords[static_cast<std::size_t>(state)];
    if (state != State::kFinished) {
      return PyUnicode_FromFormat("<%S at %s state=%s>", type_name.get(), address, word);
    }
    const Ref exception = Ref::steal(future.stored(1));
    const Ref outcome = exception ? Ref() : Ref::steal(future.result_or_none());
    PyTypeObject* kind = Py_TYPE(exception ? exception.get() : outcome.get());
    const Ref kind_name =
        Ref::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(kind), "__name__"));
    if (!kind_name) return nullptr;
    return PyUnicode_FromFormat("<%S at %s state=%s %s %S>", type_name.get(), address, word,
                                exception ? "raised" : "returned", kind_name.get());
  }

  // Attributes of the user's may lead back to the future.
  static int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
    Future::of(self).track();
    return PyObject_GenericSetAttr(self, name, value);
  }

  static PyObject* class_getitem(PyObject* cls, PyObject* item) {
    return PyObject_CallFunctionObjArgs(stdlib.generic_alias, cls, item, nullptr);
  }

  // As a shallow copy of a standard future: the same outcome, callbacks and user attributes.
  static PyObject* copy(PyObject* self, PyObject*) {
    Ref copied = Ref::steal(Future::type_.allocate(Py_TYPE(self)));
    if (!copied) return nullptr;
    Future& from = Future::of(self);
    Future& to = Future::of(copied.get());
    to.set_state(from.state());
    to.slots_[0] = from.stored(0);
    to.slots_[1] = from.stored(1);
    for (const char* name : {"_done_callbacks", "_waiters"}) {
      const Ref list = Ref::steal(PyObject_GetAttrString(self, name));
      if (!list || PyObject_SetAttrString(copied.get(), name, list.get()) < 0) return nullptr;
    }
    const Ref attributes = Ref::steal(PyObject_GenericGetDict(self, nullptr));
    const Ref copies =
        attributes ? Ref::steal(PyObject_GenericGetDict(copied.get(), nullptr)) : Ref();
    if (!copies || PyDict_Update(copies.get(), attributes.get()) < 0) return nullptr;
    return copied.release();
  }

  static PyObject* reduce(PyObject*, PyObject*) {
    PyErr_SetString(PyExc_TypeError, "cannot pickle '_thread.RLock' object");
    return nullptr;
  }
};

bool Future::make_type(PyObject* module) {
  using Slots = FutureSlots;
  constexpr int kFastKeywords = METH_FASTCALL | METH_KEYWORDS;
  static PyMethodDef methods[] = {
      {"cancel", Slots::cancel, METH_NOARGS,
       "cancel($self, /)\n--\n\n"
       "Cancel the call if it has not started: True when it is cancelled, False when it runs or "
       "has ended.\n\n"
       "A call that runs is asked to stop: treadle.check_cancelled() raises in it."},
      {"request_cancel", Slots::request_cancel, METH_NOARGS,
       "request_cancel($self, /)\n--\n\n"
       "Cancel the call, or ask it to stop when it runs: False when it has ended.\n\n"
       "What runs goes on until it calls treadle.check_cancelled(), which raises there.\n\n"
       "    >>> future.request_cancel()\n"
       "    True"},
      {"cancelled", Slots::cancelled, METH_NOARGS,
       "cancelled($self, /)\n--\n\nTell whether the call was cancelled."},
      {"running", Slots::running, METH_NOARGS,
       "running($self, /)\n--\n\nTell whether the call is being made right now."},
      {"done", Slots::done, METH_NOARGS,
       "done($self, /)\n--\n\nTell whether the call has ended or was cancelled."},
      {"result", as_method(&Slots::result), kFastKeywords,
       "result($self, /, timeout=None)\n--\n\n"
       "Wait for the call and return its result or raise its exception.\n\n"
       "timeout is in seconds, None for ever.  Raises CancelledError when the call was cancelled\n"
       "and TimeoutError when it takes longer.  Ctrl-C ends the wait at once."},
      {"exception", as_method(&Slots::exception), kFastKeywords,
       "exception($self, /, timeout=None)\n--\n\n"
       "Wait for the call and return its exception, None when it returned a result.\n\n"
       "timeout, CancelledError and TimeoutError are as in result()."},
      {"add_done_callback", as_method(&Slots::add_done_callback), kFastKeywords,
       "add_done_callback($self, /, fn)\n--\n\n"
       "Call fn(self) when the call has ended or was cancelled; at once when it has.\n\n"
       "Callbacks run in the order in which they were added, in the thread that ends the call;\n"
       "their exceptions are logged."},
      {"set_running_or_notify_cancel", Slots::set_running_or_notify_cancel, METH_NOARGS,
       "set_running_or_notify_cancel($self, /)\n--\n\n"
       "Begin the call: False when it was cancelled.  For executors and tests."},
      {"set_result", as_method(&Slots::set_result), kFastKeywords,
       "set_result($self, /, result)\n--\n\nEnd the call with a result.  For executors and tests."},
      {"set_exception", as_method(&Slots::set_exception), kFastKeywords,
       "set_exception($self, /, exception)\n--\n\n"
       "End the call with an exception.  For executors and tests."},
      {"_invoke_callbacks", Slots::invoke_callbacks, METH_NOARGS, nullptr},
      {"_get_snapshot", Slots::get_snapshot, METH_NOARGS,
       "_get_snapshot($self, /)\n--\n\nReturn (done, cancelled, result, exception)."},
      {"__class_getitem__", Slots::class_getitem, METH_O | METH_CLASS, nullptr},
      {"__copy__", Slots::copy, METH_NOARGS, nullptr},
      {"__reduce_ex__", Slots::reduce, METH_O, nullptr},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>("Future()\n--\n\n"
                         "The result of a call that is made somewhere else, or later.\n\n"
                         "A concurrent.futures.Future in every respect, and awaitable: "
                         "`result = await future`.")},
      {Py_tp_new, function_slot(&Slots::create)},
      {Py_tp_init, function_slot(&Slots::init)},
      {Py_tp_traverse, function_slot(&Slots::traverse)},
      {Py_tp_clear, function_slot(&Slots::clear)},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {Py_tp_repr, function_slot(&Slots::repr)},
      {Py_tp_setattro, function_slot(&Slots::set_attribute)},
      {Py_tp_methods, methods},
      {Py_tp_getset, private_attributes()},
      {Py_am_await, function_slot(&await_future)},
      {0, nullptr}};
  return type_.make(module, "treadle.Future", slots, stdlib.future) &&
         PyModule_AddObjectRef(module, "Future", reinterpret_cast<PyObject*>(type_.type())) == 0;
}

}  // namespace treadle::python
