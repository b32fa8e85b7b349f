#include "python/loop_bell.hpp"

#ifdef __linux__

#include <sys/eventfd.h>
#include <unistd.h>

#include "python/loop_bridge.hpp"
#include "python/loop_queue.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// Called by the loop when the bell has been rung.
struct Bell {
  PyObject_HEAD PyObject* queue;
  int descriptor;
};

PyTypeObject* bell_type = nullptr;

Bell& bell_of(PyObject* self) { return *reinterpret_cast<Bell*>(self); }

// Whether the loop's method is the function that asyncio's own module, whose globals are given,
// has made.  Runs no Python code, in which a signal handler could raise.
bool is_of_asyncio(PyObject* loop, PyObject* name, PyObject* globals) {
  if (Py_TYPE(loop)->tp_getattro != PyObject_GenericGetAttr) return false;
  const Ref method = Ref::steal(PyObject_GetAttr(loop, name));
  if (!method) PyErr_Clear();
  if (!method || PyMethod_Check(method.get()) == 0) return false;
  PyObject* function = PyMethod_GET_FUNCTION(method.get());
  return PyFunction_Check(function) != 0 && PyFunction_GET_GLOBALS(function) == globals;
}

// The same rule for an attribute; none, and no error, when there is no such.
Ref attribute_of(PyObject* loop, PyObject* name) {
  Ref value = Ref::steal(PyObject_GetAttr(loop, name));
  if (!value) PyErr_Clear();
  return value;
}

bool runs_on_epoll(PyObject* loop) {
  const Ref selector = attribute_of(loop, names.selector);
  return selector && reinterpret_cast<PyObject*>(Py_TYPE(selector.get())) == stdlib.epoll_selector;
}

// A loop's readers may be changed by its own thread, and as long as it does not run.
bool may_be_changed_here(PyObject* loop) {
  return runs_here(loop) || attribute_of(loop, names.thread_id).get() == Py_None;
}

// A new bell; none, and no error, where there is no eventfd to be had.
Ref make_bell(PyObject* queue) {
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) return {};
  Ref self = Ref::steal(bell_type->tp_alloc(bell_type, 0));
  if (!self) {
    PyErr_Clear();
    close(descriptor);
    return {};
  }
  bell_of(self.get()).queue = Py_NewRef(queue);
  bell_of(self.get()).descriptor = descriptor;
  return self;
}

// Whether the selector knows the descriptor: a loop whose parts somebody has replaced may only have
// pretended to add it.  False without an error, too.
bool is_watched(PyObject* loop, PyObject* descriptor) {
  const Ref selector = attribute_of(loop, names.selector);
  const Ref key = selector
                      ? Ref::steal(PyObject_CallMethod(selector.get(), "get_key", "O", descriptor))
                      : Ref();
  if (!key && PyErr_ExceptionMatches(PyExc_Exception) != 0) PyErr_Clear();  // KeyError
  return static_cast<bool>(key);
}

// Has the loop call the bell.  False, with or without an error set, when it will not.
bool watch(PyObject* loop, PyObject* bell) {
  const Ref descriptor = Ref::steal(PyLong_FromLong(bell_of(bell).descriptor));
  // In a context of its own: the reader would keep the caller's variables as long as the loop.
  const Ref context = descriptor ? Ref::steal(PyContext_New()) : Ref();
  if (!context || PyContext_Enter(context.get()) < 0) return false;
  // Somebody may have closed a descriptor that the loop watches still, and this be its number:
  // then the loop would believe that it watches the new one already.
  const Ref removed =
      Ref::steal(PyObject_CallMethodOneArg(loop, names.remove_reader, descriptor.get()));
  PyObject* const arguments[] = {loop, descriptor.get(), bell};
  const Ref added =
      removed ? Ref::steal(PyObject_VectorcallMethod(names.add_reader, arguments, 3, nullptr))
              : Ref();
  const bool watched = added && is_watched(loop, descriptor.get());
  const SavedError saved;
  return PyContext_Exit(context.get()) == 0 && watched;
}

// Usually the drain that was called before has left nothing to do.  But Ctrl-C may have come in its
// place: then what waits is completed here, as the stroke is still to be heard.
PyObject* answer(PyObject* self, PyObject*, PyObject*) {
  eventfd_t times = 0;
  (void)eventfd_read(bell_of(self).descriptor, &times);  // not to be rung again by the same stroke
  const Ref queue = Ref::borrow(bell_of(self).queue);
  return drain_here(queue.get());
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(bell_of(self).queue);
  return 0;
}

// The loop has let go of it.
void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (const Ref queue = Ref::steal(std::exchange(bell_of(self).queue, nullptr))) {
    LoopQueue::of(queue.get()).drop_bell(bell_of(self).descriptor);
    close(bell_of(self).descriptor);
  }
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

bool hang_bell(PyObject* loop, PyObject* queue) {
  if (!may_ring(loop) || !is_of_asyncio(loop, names.add_reader, stdlib.selector_events) ||
      !is_of_asyncio(loop, names.remove_reader, stdlib.selector_events) ||
      !is_of_asyncio(loop, names.write_to_self, stdlib.selector_events) || !runs_on_epoll(loop) ||
      !may_be_changed_here(loop)) {
    return true;
  }
  const Ref bell = make_bell(queue);
  if (bell && watch(loop, bell.get())) {
    // Known only now: a bell that is not watched must not be rung.
    LoopQueue::of(queue).set_bell(bell_of(bell.get()).descriptor);
    return true;
  }
  const bool interrupted =
      PyErr_Occurred() != nullptr && PyErr_ExceptionMatches(PyExc_Exception) == 0;
  if (!interrupted) PyErr_Clear();  // a loop that is closed, say: whoever schedules will find out
  return !interrupted;
}

bool may_ring(PyObject* loop) {
  return is_of_asyncio(loop, names.call_soon_threadsafe, stdlib.base_events) &&
         is_of_asyncio(loop, names.call_soon, stdlib.base_events) &&
         attribute_of(loop, names.debug).get() == Py_False;
}

bool make_bell_type(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("A reader of an event loop that other threads wake it by.")},
      {Py_tp_call, function_slot(&answer)},
      {Py_tp_traverse, function_slot(&traverse)},
      {Py_tp_dealloc, function_slot(&deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.LoopBell", sizeof(Bell), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  bell_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return bell_type != nullptr &&
         PyModule_AddObjectRef(module, "LoopBell", reinterpret_cast<PyObject*>(bell_type)) == 0;
}

}  // namespace treadle::python

#else

namespace treadle::python {

bool make_bell_type(PyObject*) { return true; }
bool hang_bell(PyObject*, PyObject*) { return true; }
bool may_ring(PyObject*) { return false; }

}  // namespace treadle::python

#endif
