#include "python/current_task.hpp"

#include "python/arguments.hpp"
#include "python/caller_runs.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

struct CurrentTask {
  PyObject_HEAD PyObject* future;
  PyObject* name;
  PyObject* priority;
};

PyTypeObject* task_type = nullptr;

CurrentTask& task_of(PyObject* self) { return *reinterpret_cast<CurrentTask*>(self); }

const Call* current_call() {
  if (const Outsider* outsider = Outsider::current()) return &outsider->call();
  return PythonWorker::current()->current_call();
}

// The qualified name of what is called; empty when nothing is.
Ref current_name() {
  const Call* call = current_call();
  return call != nullptr ? name_of_call(call->callable()) : Ref::steal(PyUnicode_New(0, 0));
}

PyObject* check_cancelled(PyObject*, PyObject*) {
  Future* future = current_future();
  if (future == nullptr || !future->cancel_requested()) Py_RETURN_NONE;
  PyErr_SetNone(stdlib.cancelled_error);
  return nullptr;
}

PyObject* current_task(PyObject*, PyObject*) {
  Future* future = current_future();
  if (future == nullptr) Py_RETURN_NONE;
  PythonWorker* worker = PythonWorker::current();
  const Outsider* outsider = Outsider::current();
  PyObject* known = outsider == nullptr ? worker->task_view().get() : nullptr;
  if (known != nullptr && task_of(known).future == future->object()) return Py_NewRef(known);

  const TaskOptions* options = future->options();
  Ref name = options != nullptr && options->settings() != nullptr && options->settings()->name
                 ? Ref::borrow(options->settings()->name.get())
                 : current_name();
  Ref priority = Ref::steal(PyLong_FromLongLong(options != nullptr ? options->priority() : 0));
  PyObject* self = name && priority ? task_type->tp_alloc(task_type, 0) : nullptr;
  if (self == nullptr) return nullptr;
  task_of(self).future = Py_NewRef(future->object());
  task_of(self).name = name.release();
  task_of(self).priority = priority.release();
  // Not for the callbacks of a future whose call has ended: nobody would let it go.
  if (outsider == nullptr && worker->current_call() != nullptr) {
    worker->task_view() = Ref::borrow(self);
  }
  return self;
}

struct CurrentTaskSlots {
  static PyObject* name(PyObject* self, void*) { return Py_NewRef(task_of(self).name); }
  static PyObject* priority(PyObject* self, void*) { return Py_NewRef(task_of(self).priority); }

  static PyObject* deadline(PyObject* self, void*) {
    const TimedOptions* limits = Future::of(task_of(self).future).limits();
    if (limits == nullptr) Py_RETURN_NONE;
    const std::optional<double> left = limits->seconds_left();
    return left ? PyFloat_FromDouble(*left) : Py_NewRef(Py_None);
  }

  static PyObject* cancel_requested(PyObject* self, void*) {
    return PyBool_FromLong(Future::of(task_of(self).future).cancel_requested());
  }

  static PyObject* wait_cancelled(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                                  PyObject* keyword_names) {
    PyObject* timeout = Py_None;
    Deadline deadline;
    if (!read_optional("CurrentTask.wait_cancelled", "timeout", arguments, positional,
                       keyword_names, timeout) ||
        !parse_timeout(timeout, deadline)) {
      return nullptr;
    }
    switch (Future::of(task_of(self).future).sleep_until_asked(deadline)) {
      case Future::Slept::kDone:
        Py_RETURN_TRUE;
      case Future::Slept::kTimedOut:
        Py_RETURN_FALSE;
      case Future::Slept::kError:
        break;
    }
    return nullptr;
  }

  static PyObject* repr(PyObject* self) {
    return PyUnicode_FromFormat(
        "<CurrentTask %R%s>", task_of(self).name,
        Future::of(task_of(self).future).cancel_requested() ? " asked to stop" : "");
  }

  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(task_of(self).future);
    Py_VISIT(task_of(self).name);
    return 0;
  }

  static int clear(PyObject* self) {
    Py_CLEAR(task_of(self).future);
    return 0;
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(task_of(self).future);
    Py_CLEAR(task_of(self).name);
    Py_CLEAR(task_of(self).priority);
    type->tp_free(self);
    Py_DECREF(type);
  }
};

}  // namespace

bool make_current_task(PyObject* module) {
  using Slots = CurrentTaskSlots;
  static PyGetSetDef attributes[] = {
      {"name", Slots::name, nullptr, "What is called: its qualified name.", nullptr},
      {"priority", Slots::priority, nullptr, "The task's priority; 0 is the usual one.", nullptr},
      {"deadline", Slots::deadline, nullptr, "Seconds that are left, or None.", nullptr},
      {"cancel_requested", Slots::cancel_requested, nullptr,
       "Whether the task, while it runs, has been asked to stop.", nullptr},
      {}};
  static PyMethodDef methods[] = {
      {"wait_cancelled", as_method(&Slots::wait_cancelled), METH_FASTCALL | METH_KEYWORDS,
       "wait_cancelled($self, /, timeout=None)\n--\n\n"
       "Sleep until the task is asked to stop: True then, False when the time is up.\n\n"
       "timeout is in seconds, None for ever.  Also ends, with False, when the task does.\n\n"
       "    >>> while not treadle.current_task().wait_cancelled(60):\n"
       "    ...     poll()"},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The task that the calling thread runs.")},
      {Py_tp_repr, function_slot(&Slots::repr)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_traverse, function_slot(&Slots::traverse)},
      {Py_tp_clear, function_slot(&Slots::clear)},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.CurrentTask", sizeof(CurrentTask), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  static PyMethodDef functions[] = {
      {"check_cancelled", check_cancelled, METH_NOARGS,
       "check_cancelled()\n--\n\n"
       "Raise CancelledError if the task that calls this was asked to stop.\n\n"
       "A task is asked by cancel() or request_cancel() on its future, and by the cancellation or\n"
       "the timeout of whoever awaits it.  A task that ends with this error ends cancelled.\n"
       "Outside of tasks nothing happens.\n\n"
       "    >>> for block in blocks:\n"
       "    ...     treadle.check_cancelled()\n"
       "    ...     compress(block)"},
      {"current_task", current_task, METH_NOARGS,
       "current_task()\n--\n\n"
       "Return what can be known of the task that calls this, or None outside of tasks.\n\n"
       "    >>> treadle.current_task().cancel_requested\n"
       "    False"},
      {}};
  task_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return task_type != nullptr &&
         PyModule_AddObjectRef(module, "CurrentTask", reinterpret_cast<PyObject*>(task_type)) ==
             0 &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace treadle::python
