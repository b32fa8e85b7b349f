#include "python/loop_queue.hpp"

namespace treadle::python {

namespace {

PyTypeObject* queue_type = nullptr;
PyObject* queues = nullptr;  // a WeakKeyDictionary: loop -> its queue

// The queue that was asked for last: mostly there is one loop.
struct LastQueue {
  ObjectMutex mutex;
  Ref queue;

  Ref of(PyObject* loop) {
    Ref kept;
    {
      const ObjectLock lock(mutex);
      kept = Ref::borrow(queue.get());
    }
    return kept && LoopQueue::of(kept.get()).loop().get() == loop ? std::move(kept) : Ref();
  }
  void set(Ref next) {
    const ObjectLock lock(mutex);
    std::swap(queue, next);
  }  // the one before is released without the lock
};

// Never destroyed: the interpreter is gone when destructors of globals run.
LastQueue& last_queue = *new LastQueue;

}  // namespace

Ref LoopQueue::loop() const {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* loop = nullptr;
  (void)PyWeakref_GetRef(loop_, &loop);
  return Ref::steal(loop);
#else
  PyObject* loop = PyWeakref_GetObject(loop_);
  return loop == Py_None ? Ref() : Ref::borrow(loop);
#endif
}

bool LoopQueue::put(Delivery* delivery) {
  const ObjectLock lock(mutex_);
  (tail_ != nullptr ? tail_->next : head_) = delivery;
  tail_ = delivery;
  return !std::exchange(draining_, true);
}

Delivery* LoopQueue::pop() {
  const ObjectLock lock(mutex_);
  Delivery* delivery = head_;
  if (delivery == nullptr) {
    draining_ = false;  // invariant 1: under the lock with the last look
    return nullptr;
  }
  head_ = delivery->next;
  if (head_ == nullptr) tail_ = nullptr;
  return delivery;
}

void LoopQueue::put_back(Delivery* delivery) {
  const ObjectLock lock(mutex_);
  delivery->next = std::exchange(head_, delivery);
  if (tail_ == nullptr) tail_ = delivery;
}

void LoopQueue::pause() {
  const ObjectLock lock(mutex_);
  draining_ = false;
}

void LoopQueue::drop_all() {
  while (Delivery* delivery = pop()) delete delivery;
}

struct LoopQueueSlots {
  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(LoopQueue::of(self).loop_);
    return 0;
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    LoopQueue::of(self).drop_all();
    Py_CLEAR(LoopQueue::of(self).loop_);
    type->tp_free(self);
    Py_DECREF(type);
  }

  static Ref make(PyObject* loop) {
    Ref self = Ref::steal(queue_type->tp_alloc(queue_type, 0));
    if (!self) return {};
    LoopQueue::of(self.get()).loop_ = PyWeakref_NewRef(loop, nullptr);
    return LoopQueue::of(self.get()).loop_ != nullptr ? std::move(self) : Ref();
  }
};

Ref LoopQueue::of_loop(PyObject* loop) {
  if (Ref last = last_queue.of(loop)) return last;
  Ref queue = Ref::steal(PyObject_CallMethod(queues, "get", "(O)", loop));
  if (!queue) return {};
  if (queue.get() == Py_None) {
    const Ref fresh = LoopQueueSlots::make(loop);
    if (!fresh) return {};
    // Another thread may have been quicker.
    queue = Ref::steal(PyObject_CallMethod(queues, "setdefault", "OO", loop, fresh.get()));
  }
  if (queue) last_queue.set(Ref::borrow(queue.get()));
  return queue;
}

bool LoopQueue::make_type(PyObject* module) {
  using Slots = LoopQueueSlots;
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Completions on their way into one event loop.")},
      {Py_tp_traverse, function_slot(&Slots::traverse)},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.LoopQueue", sizeof(LoopQueue), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  queue_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  const Ref weakref = Ref::steal(PyImport_ImportModule("weakref"));
  if (weakref) queues = PyObject_CallMethod(weakref.get(), "WeakKeyDictionary", nullptr);
  return queue_type != nullptr && queues != nullptr &&
         PyModule_AddObjectRef(module, "LoopQueue", reinterpret_cast<PyObject*>(queue_type)) == 0;
}

}  // namespace treadle::python
