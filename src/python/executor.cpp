#include "python/executor.hpp"

#include "python/batches.hpp"
#include "python/bounded_methods.hpp"
#include "python/pool_shutdown.hpp"
#include "python/pool_size.hpp"
#include "python/stdlib.hpp"
#include "python/submission.hpp"
#include "python/work_queue.hpp"

namespace treadle::python {

HeapType<Executor> executor_type;

void raise_uninitialized(PyObject* executor) {
  PyErr_Format(PyExc_RuntimeError, "%s.__init__() was not called", Py_TYPE(executor)->tp_name);
}

namespace {

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) { return executor_type.allocate(type); }

// _open(max_workers, propagate_context, histograms, daemon, keep_alive, min_workers): what __init__
// ends with.
PyObject* open(PyObject* self, PyObject* args) {
  Py_ssize_t max_workers = 0, min_workers = 0;
  int propagate_context = 1, histograms = 0, daemon = 0;
  double keep_alive = 0;  // for ever
  if (PyArg_ParseTuple(args, "nppp|dn:_open", &max_workers, &propagate_context, &histograms,
                       &daemon, &keep_alive, &min_workers) == 0) {
    return nullptr;
  }
  Ref reference = Ref::steal(PyWeakref_NewRef(self, nullptr));
  if (!reference) return nullptr;
  executor_type.data(self).pool =
      new Pool(static_cast<std::size_t>(max_workers), propagate_context != 0, histograms != 0,
               daemon != 0, std::move(reference), make_keep_alive(keep_alive, min_workers));
  Py_RETURN_NONE;
}

PyObject* close(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  pool->close(Closed::kShutdown);
  Py_RETURN_NONE;
}

PyObject* cancel_queued(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  pool->cancel_queued();
  Py_RETURN_NONE;
}

// _break(exception): no worker can be initialized; what is queued fails.
PyObject* break_pool(PyObject* self, PyObject* exception) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  pool->close(Closed::kBroken);
  pool->fail_queued(exception);
  Py_RETURN_NONE;
}

template <std::size_t Scheduler::Counts::* kCount>
PyObject* count(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? PyLong_FromSize_t(pool->scheduler().counts().*kCount) : nullptr;
}

template <PyObject* (*kFunction)(Pool&)>
PyObject* with_pool(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? kFunction(*pool) : nullptr;
}

template <PyObject* (*kFunction)(Pool&, PyObject*)>
PyObject* with_pool_and(PyObject* self, PyObject* argument) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? kFunction(*pool, argument) : nullptr;
}

PyObject* is_shut_down(PyObject* self, void*) {
  Pool* pool = executor_type.data(self).pool.get();
  return PyBool_FromLong(pool != nullptr && pool->scheduler().closed() >= Closed::kShutdown);
}

int set_shut_down(PyObject* self, PyObject* value, void*) {
  Pool* pool = executor_type.data(self).pool.get();
  const int shut_down = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (shut_down > 0 && pool != nullptr) pool->close(Closed::kShutdown);
  return shut_down < 0 ? -1 : 0;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return visit_dictionary(self, visit, arg);
}

int clear(PyObject* self) {
  clear_dictionary(self);
  return 0;
}

void deallocate(PyObject* self) {
  executor_type.deallocate(self, deallocate, [](PyObject* object) {
    // Nobody can submit any more: the workers finish the queue and leave.
    if (Pool* pool = executor_type.data(object).pool.get()) {
      pool->close(Closed::kShutdown);
    }
  });
}

}  // namespace

bool make_executor_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"submit", as_method(&submit_method), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Have fn(*args, **kwargs) called by a worker; return a Future for its outcome.\n\n"
       "The call sees the caller's context variables.  When the queue is full (`max_pending`), it\n"
       "does what `when_full` says.  Raises RuntimeError after shutdown, BrokenThreadPool when an\n"
       "initializer has failed, and treadle.errors.QueueFull where the pool is to raise that.\n\n"
       "    >>> pool.submit(pow, 2, 10).result()\n"
       "    1024"},
      {"submit_many", submit_many, METH_VARARGS,
       "submit_many($self, fn, /, *iterables)\n--\n\n"
       "Submit fn(*items) for each of zip(*iterables) at once; return the list of Futures.\n\n"
       "All are queued in one operation, in order: none when the pool refuses.  With "
       "`max_pending`\n"
       "they are queued as room allows, or all or none where the pool raises QueueFull; when that\n"
       "is interrupted, those that have not started are cancelled.\n\n"
       "    >>> [f.result() for f in pool.submit_many(abs, [-1, 2])]\n"
       "    [1, 2]"},
      {"try_submit", as_method(&try_submit), METH_FASTCALL | METH_KEYWORDS,
       "try_submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Submit fn(*args, **kwargs) if the queue has room: a Future, or None when it is full.\n\n"
       "It never waits, whatever `when_full` says; a queue without `max_pending` is never full.\n"
       "Raises RuntimeError after shutdown, as submit does.\n\n"
       "    >>> if pool.try_submit(send, sample) is None:\n"
       "    ...     dropped += 1"},
      {"_try_submit_native", as_method(&try_submit_native), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_submit_was_replaced", submit_was_replaced, METH_NOARGS, nullptr},
      {"_submit_native", as_method(&submit_native), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_submit_plain", as_method(&submit_plain), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_map", map, METH_VARARGS, nullptr},
      {"_open", open, METH_VARARGS, nullptr},
      {"_bound", set_bound, METH_VARARGS, nullptr},
      {"_submit_in_time", as_method(&submit_in_time), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_ask_for_place", ask_for_place_method, METH_NOARGS, nullptr},
      {"_close", close, METH_NOARGS, nullptr},
      {"_cancel_queued", cancel_queued, METH_NOARGS, nullptr},
      {"_break", break_pool, METH_O, nullptr},
      {"_may_batch", may_batch, METH_O, nullptr},
      {"_idle_workers", count<&Scheduler::Counts::idle>, METH_NOARGS, nullptr},
      {"_thread_count", count<&Scheduler::Counts::threads>, METH_NOARGS, nullptr},
      {"_queue_size", count<&Scheduler::Counts::queued>, METH_NOARGS, nullptr},
      {"_statistics", with_pool<describe_statistics>, METH_NOARGS, nullptr},
      {"_time_calls", with_pool<time_calls>, METH_NOARGS, nullptr},
      {"_running_calls", with_pool<running_calls>, METH_NOARGS, nullptr},
      {"_is_worker_here", with_pool<is_worker_here>, METH_NOARGS, nullptr},
      {"_count_starting", with_pool_and<count_starting>, METH_O, nullptr},
      {"_take_item", with_pool<take_item>, METH_NOARGS, nullptr},
      {"_put_item", with_pool_and<put_item>, METH_O, nullptr},
      {"_resize", with_pool_and<resize_pool>, METH_O, nullptr},
      {"_size", with_pool<pool_size>, METH_NOARGS, nullptr},
      {}};
  static PyGetSetDef attributes[] = {{"_shutdown", is_shut_down, set_shut_down, nullptr, nullptr},
                                     {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The native half of treadle.ThreadPoolExecutor.")},
      {Py_tp_new, function_slot(&create)},
      {Py_tp_traverse, function_slot(&traverse)},
      {Py_tp_clear, function_slot(&clear)},
      {Py_tp_dealloc, function_slot(&deallocate)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {0, nullptr}};
  if (!executor_type.make(module, "treadle._core.Executor", slots, stdlib.executor)) return false;
  auto* type = reinterpret_cast<PyObject*>(executor_type.type());
  return PyModule_AddObjectRef(module, "Executor", type) == 0;
}

}  // namespace treadle::python
