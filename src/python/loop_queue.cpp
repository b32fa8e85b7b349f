#include "python/loop_queue.hpp"

#include <atomic>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "python/loop_bell.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

PyTypeObject* queue_type = nullptr;
constexpr int kNoBell = -1;

std::atomic<std::uint32_t> forks{0};  // of which this process is the child; changes without threads

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
  // Whoever was about to schedule a drain when the process forked does not exist in the child.
  const std::uint32_t process = forks.load(std::memory_order_relaxed);
  if (std::exchange(process_, process) != process) draining_ = false;
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

bool LoopQueue::empty() {
  const ObjectLock lock(mutex_);
  return head_ == nullptr;
}

void LoopQueue::note_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

void LoopQueue::drop_all() {
  while (Delivery* delivery = pop()) delete delivery;
}

bool LoopQueue::ring() {
  // Under the lock: a descriptor that is closed may be another file's a moment later.
  const ObjectLock lock(mutex_);
#ifdef __linux__
  if (bell_ != kNoBell) (void)eventfd_write(bell_, 1);  // fails when it has been rung very often
#endif
  return bell_ != kNoBell;
}

bool LoopQueue::has_bell() {
  const ObjectLock lock(mutex_);
  return bell_ != kNoBell;
}

void LoopQueue::set_bell(int descriptor) {
  const ObjectLock lock(mutex_);
  bell_ = descriptor;
}

void LoopQueue::drop_bell(int descriptor) {
  const ObjectLock lock(mutex_);
  if (bell_ == descriptor) bell_ = kNoBell;
}

struct LoopQueueSlots {
  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(LoopQueue::of(self).loop_);
    for (Delivery* waiting = LoopQueue::of(self).head_; waiting != nullptr;
         waiting = waiting->next) {
      Py_VISIT(waiting->queue.get());
      Py_VISIT(waiting->destination.get());
      Py_VISIT(waiting->source.get());
    }
    return 0;
  }

  static int clear(PyObject* self) {
    LoopQueue::of(self).drop_all();
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
    LoopQueue::of(self.get()).bell_ = kNoBell;
    LoopQueue::of(self.get()).process_ = forks.load(std::memory_order_relaxed);
    LoopQueue::of(self.get()).loop_ = PyWeakref_NewRef(loop, nullptr);
    return LoopQueue::of(self.get()).loop_ != nullptr ? std::move(self) : Ref();
  }
};

Ref LoopQueue::of_loop(PyObject* loop) {
  Ref queue = Ref::steal(PyObject_GenericGetAttr(loop, names.queue_of_loop));
  if (!queue) PyErr_Clear();
  // Found without the loop's own code; an object that was copied from a loop has the other's.
  if (queue && Py_IS_TYPE(queue.get(), queue_type) && of(queue.get()).loop().get() == loop) {
    return queue;
  }
  queue = LoopQueueSlots::make(loop);
  if (!queue) return {};
  if (PyObject_GenericSetAttr(loop, names.queue_of_loop, queue.get()) < 0) {
    PyErr_Clear();  // it takes no attributes: each completion comes alone
    return queue;
  }
  return hang_bell(loop, queue.get()) ? std::move(queue) : Ref();
}

bool LoopQueue::make_type(PyObject* module) {
  using Slots = LoopQueueSlots;
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Completions on their way into one event loop.")},
      {Py_tp_traverse, function_slot(&Slots::traverse)},
      {Py_tp_clear, function_slot(&Slots::clear)},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.LoopQueue", sizeof(LoopQueue), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  queue_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return queue_type != nullptr &&
         PyModule_AddObjectRef(module, "LoopQueue", reinterpret_cast<PyObject*>(queue_type)) == 0;
}

}  // namespace treadle::python
