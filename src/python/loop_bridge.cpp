#include "python/loop_bridge.hpp"

#include <memory>

#include "python/loop_bell.hpp"
#include "python/loop_queue.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// What one turn of the loop may complete: about half a millisecond's worth.
constexpr int kBatch = 256;

// A callback that the loop holds until it has drained the queue, or is closed.  A queue itself
// would not notice the latter: this one's end does.
struct LoopDrain {
  PyObject_HEAD PyObject* queue;  // null: it has run
  bool scheduled;                 // the loop has taken it
};

LoopDrain& drain_of(PyObject* self) { return *reinterpret_cast<LoopDrain*>(self); }

PyTypeObject* drain_type = nullptr;

// True with the loop open; an error of the loop's counts as closed.  An error that is set stays.
bool is_open(PyObject* loop) {
  const SavedError saved;
  const Ref closed = Ref::steal(PyObject_CallMethodNoArgs(loop, names.is_closed));
  if (!closed) PyErr_Clear();
  return closed && PyObject_IsTrue(closed.get()) == 0;
}

enum class Where { kInTheLoop, kAnywhere };

// Has the loop call `drain` in a later turn; the handle, or none with an error set.
Ref call_later(PyObject* loop, LoopQueue& queue, PyObject* drain, Where where) {
  const bool bell = where == Where::kAnywhere && queue.has_bell() && may_ring(loop);
  if (bell || where == Where::kInTheLoop) {
    Ref handle = Ref::steal(PyObject_CallMethodOneArg(loop, names.call_soon, drain));
    if (!bell || (handle && queue.ring())) return handle;
    if (!handle && PyErr_ExceptionMatches(PyExc_Exception) == 0) return {};
    // The loop is in debug mode since a moment, or closed, or the bell has gone.  Two calls do no
    // harm: a drain may find nothing to do.
    PyErr_Clear();
  }
  return Ref::steal(PyObject_CallMethodOneArg(loop, names.call_soon_threadsafe, drain));
}

// Asks the loop to drain the queue.  A loop that is closed, or gone, drops it instead.  False with
// the exception of a signal handler set; the queue has been taken care of then, too.
bool schedule(PyObject* queue, Where where) {
  Ref interruption;
  for (;;) {
    const Ref loop = LoopQueue::of(queue).loop();
    const Ref drain = loop ? Ref::steal(drain_type->tp_alloc(drain_type, 0)) : Ref();
    if (drain) drain_of(drain.get()).queue = Py_NewRef(queue);
    const Ref scheduled =
        drain ? call_later(loop.get(), LoopQueue::of(queue), drain.get(), where) : Ref();
    if (scheduled) {
      drain_of(drain.get()).scheduled = true;
      break;
    }
    const bool interrupted =
        PyErr_Occurred() != nullptr && PyErr_ExceptionMatches(PyExc_Exception) == 0;
    if (interrupted) interruption = take_raised();
    // Scheduled or not, once more does no harm: a drain may find nothing to do.
    if (interrupted && is_open(loop.get())) continue;
    if (loop && is_open(loop.get())) {
      PyErr_WriteUnraisable(loop.get());
      LoopQueue::of(queue).pause();  // the next completion tries again
    } else {
      PyErr_Clear();  // RuntimeError: Event loop is closed
      LoopQueue::of(queue).drop_all();
    }
    break;
  }
  if (!interruption) return true;
  raise_object(interruption.get());
  return false;
}

}  // namespace

Ref as_asyncio_exception(PyObject* exception) {
  const std::pair<PyObject*, PyObject*> siblings[] = {
      {stdlib.cancelled_error, stdlib.asyncio_cancelled_error},
      {stdlib.timeout_error, stdlib.asyncio_timeout_error},
      {stdlib.invalid_state_error, stdlib.asyncio_invalid_state_error}};
  for (const auto& [ours, theirs] : siblings) {
    if (ours == theirs || !Py_IS_TYPE(exception, reinterpret_cast<PyTypeObject*>(ours))) continue;
    const Ref arguments = Ref::steal(PyObject_GetAttrString(exception, "args"));
    Ref converted = arguments ? Ref::steal(PyObject_CallObject(theirs, arguments.get())) : Ref();
    const Ref traceback = Ref::steal(PyException_GetTraceback(exception));
    if (converted && traceback) PyException_SetTraceback(converted.get(), traceback.get());
    return converted;
  }
  return Ref::borrow(exception);
}

namespace {

// Ends the loop's future as `source`, which is whole, ended, unless its awaiter gave up before.
Ref complete(PyObject* destination, Future& source) {
  const Ref over = Ref::steal(PyObject_CallMethodNoArgs(destination, names.done));
  if (!over || over.get() == Py_True) return Ref::borrow(over.get());
  if (is_cancelled(source.state())) {
    return Ref::steal(PyObject_CallMethodNoArgs(destination, names.cancel));
  }
  const Ref exception = Ref::steal(source.exception_or_null());
  if (!exception) {
    const Ref result = Ref::steal(source.result_or_none());
    return Ref::steal(PyObject_CallMethodOneArg(destination, names.set_result, result.get()));
  }
  const Ref raised = as_asyncio_exception(exception.get());
  return raised
             ? Ref::steal(PyObject_CallMethodOneArg(destination, names.set_exception, raised.get()))
             : Ref();
}

// The same, with its errors taken care of.  False, error set, when a signal handler has raised: the
// delivery is still to be made then, and making it twice does no harm.
bool fulfil(const Delivery& delivery) {
  PyObject* destination = delivery.destination.get();
  Future& source = Future::of(delivery.source.get());
  if (!source.wait_for_writers()) return false;
  if (complete(destination, source)) return true;
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
  // The loop's future refuses the outcome (StopIteration): its awaiter gets the refusal.
  const Ref refusal = take_raised();
  if (Ref::steal(PyObject_CallMethodOneArg(destination, names.set_exception, refusal.get()))) {
    return true;
  }
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
  PyErr_WriteUnraisable(destination);
  return true;
}

// Completes the next of the loop's futures: false when there is none, or (error set) when a signal
// handler has raised.
bool complete_next(LoopQueue& queue) {
  std::unique_ptr<Delivery> delivery(queue.pop());
  if (!delivery) return false;
  if (fulfil(*delivery)) return true;
  queue.put_back(delivery.release());
  return false;
}

// The callback in the loop's thread.
PyObject* drain(PyObject* self, PyObject*, PyObject*) {
  const Ref queue = Ref::steal(std::exchange(drain_of(self).queue, nullptr));
  if (!queue) Py_RETURN_NONE;  // called by somebody else before
  return drain_here(queue.get());
}

int traverse_drain(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(drain_of(self).queue);
  return 0;
}

void deallocate_drain(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (const Ref queue = Ref::steal(std::exchange(drain_of(self).queue, nullptr))) {
    const SavedError saved;
    LoopQueue& lost = LoopQueue::of(queue.get());
    const Ref loop = lost.loop();
    if (!loop || !is_open(loop.get())) {
      lost.drop_all();
    } else if (drain_of(self).scheduled) {
      // A signal handler has raised when the loop was about to call it.
      lost.pause();
      if (!lost.empty() && !schedule(queue.get(), Where::kAnywhere)) PyErr_WriteUnraisable(nullptr);
    }
  }
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

PyObject* drain_here(PyObject* queue) {
  int left = kBatch;
  while (left != 0 && complete_next(LoopQueue::of(queue))) --left;
  if (left != 0 && PyErr_Occurred() == nullptr) Py_RETURN_NONE;
  // The rest, after the loop's other callbacks.
  const Ref raised = PyErr_Occurred() != nullptr ? take_raised() : Ref();
  const bool scheduled = schedule(queue, Where::kInTheLoop);
  if (raised) {
    PyErr_Clear();
    raise_object(raised.get());
  }
  if (raised || !scheduled) return nullptr;
  Py_RETURN_NONE;
}

bool deliver_to_loops(Delivery* latest, PyObject* future) {
  Delivery* deliveries = nullptr;  // the earliest first: who came first is told first
  while (latest != nullptr) {
    Delivery* next = std::exchange(latest->next, deliveries);
    deliveries = std::exchange(latest, next);
  }
  bool uninterrupted = true;
  while (deliveries != nullptr) {
    Delivery* delivery = deliveries;
    deliveries = std::exchange(delivery->next, nullptr);
    const Ref self = Ref::borrow(delivery->queue.get());  // the delivery may be gone when we wake
    delivery->source = Ref::borrow(future);
    const Ref earlier = PyErr_Occurred() != nullptr ? take_raised() : Ref();
    bool made = false;
    if (delivery->at_once && runs_here(LoopQueue::of(self.get()).loop().get())) {
      made = fulfil(*delivery);
      uninterrupted = uninterrupted && made;
    }
    if (made) {
      delete delivery;
    } else {
      const SavedError interruption;
      if (LoopQueue::of(self.get()).put(delivery)) {
        uninterrupted = schedule(self.get(), Where::kAnywhere) && uninterrupted;
      }
    }
    if (earlier) raise_object(earlier.get());
  }
  return uninterrupted;
}

bool make_loop_bridge(PyObject* module) {
  if (!LoopQueue::make_type(module) || !make_bell_type(module)) return false;
  static PyType_Slot drain_slots[] = {
      {Py_tp_doc,
       const_cast<char*>("A callback of an event loop that completes a batch of its futures.")},
      {Py_tp_call, function_slot(&drain)},
      {Py_tp_traverse, function_slot(&traverse_drain)},
      {Py_tp_dealloc, function_slot(&deallocate_drain)},
      {0, nullptr}};
  static PyType_Spec drain_spec{
      "treadle._core.LoopDrain", sizeof(LoopDrain), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, drain_slots};
  drain_type =
      reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &drain_spec, nullptr));
  return drain_type != nullptr &&
         PyModule_AddObjectRef(module, "LoopDrain", reinterpret_cast<PyObject*>(drain_type)) == 0;
}

}  // namespace treadle::python
