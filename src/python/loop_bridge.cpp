#include "python/loop_bridge.hpp"

#include <memory>

#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// What one turn of the loop may complete: about half a millisecond's worth.
constexpr int kBatch = 256;

struct LoopQueue {
  PyObject_HEAD PyObject* loop;  // a weak reference
  Delivery* head;                // oldest first
  Delivery* tail;
  bool draining;  // a drain is scheduled or running
#ifdef Py_GIL_DISABLED
  ObjectMutex mutex;
#else
  [[no_unique_address]] ObjectMutex mutex;
#endif
};

PyTypeObject* queue_type = nullptr;
PyObject* queues = nullptr;  // a WeakKeyDictionary: loop -> its queue

LoopQueue& queue_of(PyObject* self) { return *reinterpret_cast<LoopQueue*>(self); }

Ref loop_of(const LoopQueue& queue) {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* loop = nullptr;
  (void)PyWeakref_GetRef(queue.loop, &loop);
  return Ref::steal(loop);
#else
  PyObject* loop = PyWeakref_GetObject(queue.loop);
  return loop == Py_None ? Ref() : Ref::borrow(loop);
#endif
}

Delivery* pop(LoopQueue& queue) {
  const ObjectLock lock(queue.mutex);
  Delivery* delivery = queue.head;
  if (delivery == nullptr) {
    queue.draining = false;  // invariant 1: under the lock with the last look
    return nullptr;
  }
  queue.head = delivery->next;
  if (queue.head == nullptr) queue.tail = nullptr;
  return delivery;
}

void drop_all(LoopQueue& queue) {
  while (Delivery* delivery = pop(queue)) delete delivery;
}

// Asks the loop to drain the queue.  A loop that is closed, or gone, drops it instead.
void schedule(PyObject* self, PyObject* method) {
  const Ref loop = loop_of(queue_of(self));
  const Ref scheduled =
      loop ? Ref::steal(PyObject_CallMethodOneArg(loop.get(), method, self)) : Ref();
  if (scheduled) return;
  PyErr_Clear();  // RuntimeError: Event loop is closed
  drop_all(queue_of(self));
}

// Exceptions of concurrent.futures have siblings in asyncio; awaiting raises those.
Ref as_asyncio_exception(PyObject* exception) {
  if (Py_IS_TYPE(exception, reinterpret_cast<PyTypeObject*>(stdlib.cancelled_error))) {
    const Ref arguments = Ref::steal(PyObject_GetAttrString(exception, "args"));
    if (arguments) {
      return Ref::steal(PyObject_CallObject(stdlib.asyncio_cancelled_error, arguments.get()));
    }
  }
  return Ref::borrow(exception);
}

// Ends the loop's future as `future` ended, unless its awaiter gave up before.
Ref complete(PyObject* destination, PyObject* future) {
  const Ref over = Ref::steal(PyObject_CallMethodNoArgs(destination, names.done));
  if (!over || over.get() == Py_True) return Ref::borrow(over.get());
  Future& source = Future::of(future);
  if (!source.wait_for_writers()) return {};
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

// The callback in the loop's thread.
PyObject* drain(PyObject* self, PyObject*, PyObject*) {
  LoopQueue& queue = queue_of(self);
  for (int i = 0; i < kBatch; ++i) {
    const std::unique_ptr<Delivery> delivery(pop(queue));
    if (!delivery) Py_RETURN_NONE;
    Ref done = complete(delivery->destination.get(), delivery->source.get());
    if (!done) {
      // The loop's future refuses the outcome (StopIteration): its awaiter gets the refusal.
      const Ref refusal = take_raised();
      done = Ref::steal(PyObject_CallMethodOneArg(delivery->destination.get(), names.set_exception,
                                                  refusal.get()));
      if (!done) PyErr_WriteUnraisable(delivery->destination.get());
    }
  }
  schedule(self, names.call_soon);  // the rest, after the loop's other callbacks
  Py_RETURN_NONE;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(queue_of(self).loop);
  return 0;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  drop_all(queue_of(self));
  Py_CLEAR(queue_of(self).loop);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

PyObject* queue_of_loop(PyObject* loop) {
  if (queues == nullptr) {
    const Ref module = Ref::steal(PyImport_ImportModule("weakref"));
    Ref made = module ? Ref::steal(PyObject_CallMethod(module.get(), "WeakKeyDictionary", nullptr))
                      : Ref();
    if (!made) return nullptr;
    if (queues == nullptr) queues = made.release();
  }
  const Ref known = Ref::steal(PyObject_CallMethod(queues, "get", "(O)", loop));
  if (!known || known.get() != Py_None) return Py_XNewRef(known.get());
  const Ref fresh = Ref::steal(queue_type->tp_alloc(queue_type, 0));
  if (!fresh) return nullptr;
  queue_of(fresh.get()).loop = PyWeakref_NewRef(loop, nullptr);
  if (queue_of(fresh.get()).loop == nullptr) return nullptr;
  // Another thread cannot be quicker: only the loop's own thread asks for its queue.
  return PyObject_CallMethod(queues, "setdefault", "OO", loop, fresh.get());
}

void deliver_to_loops(Delivery* deliveries, PyObject* future) {
  while (deliveries != nullptr) {
    Delivery* delivery = deliveries;
    deliveries = std::exchange(delivery->next, nullptr);
    const Ref self = Ref::borrow(delivery->queue.get());  // the delivery may be gone when we wake
    delivery->source = Ref::borrow(future);
    LoopQueue& queue = queue_of(self.get());
    bool idle = false;
    {
      const ObjectLock lock(queue.mutex);
      (queue.tail != nullptr ? queue.tail->next : queue.head) = delivery;
      queue.tail = delivery;
      idle = !std::exchange(queue.draining, true);
    }
    if (idle) schedule(self.get(), names.call_soon_threadsafe);
  }
}

bool make_loop_bridge(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Completions on their way into one event loop.")},
      {Py_tp_call, function_slot(&drain)},
      {Py_tp_traverse, function_slot(&traverse)},
      {Py_tp_dealloc, function_slot(&deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.LoopQueue", sizeof(LoopQueue), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  queue_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return queue_type != nullptr &&
         PyModule_AddObjectRef(module, "LoopQueue", reinterpret_cast<PyObject*>(queue_type)) == 0;
}

}  // namespace treadle::python
