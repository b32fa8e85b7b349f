#include "python/executor.hpp"

#include <atomic>

#include "python/arguments.hpp"
#include "python/asyncio_code.hpp"
#include "python/batch.hpp"
#include "python/blocking_function.hpp"
#include "python/context.hpp"
#include "python/loop_bridge.hpp"
#include "python/map_job.hpp"
#include "python/pool.hpp"
#include "python/pool_shutdown.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"
#include "python/work_queue.hpp"

namespace treadle::python {

namespace {

struct Executor {
  PoolPtr pool;
};

HeapType<Executor> executor_type;

PyObject* submit_method(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names);

Pool* pool_of(PyObject* self) {
  Pool* pool = executor_type.data(self).pool.get();
  if (pool == nullptr) {
    PyErr_Format(PyExc_RuntimeError, "%s.__init__() was not called", Py_TYPE(self)->tp_name);
  }
  return pool;
}

// ---- who submits

// Tools (tracers) replace `submit` on the standard class; their replacement is meant for us, too.
// Any change to the class gives it a new version tag, so one comparison tells that it has not
// changed since the last look.
bool standard_submit_replaced() {
  static std::atomic<unsigned int> unchanged{0};  // a hint: relaxed, nothing depends on its order
  auto* standard = reinterpret_cast<PyTypeObject*>(stdlib.executor);
  const unsigned int last = unchanged.load(std::memory_order_relaxed);
  if (standard->tp_version_tag == last && last != 0) return false;
  const Ref now = Ref::steal(PyObject_GetAttr(stdlib.executor, names.submit));
  if (!now) {
    PyErr_Clear();
    return false;
  }
  if (now.get() != stdlib.executor_submit) return true;
  unchanged.store(standard->tp_version_tag, std::memory_order_relaxed);
  return false;
}

// False when a subclass or the instance overrides `submit`, or a tool has replaced it: whatever is
// built on top of it has to call it then.
bool uses_own_submit(PyObject* self) {
  const Ref submit = Ref::steal(PyObject_GetAttr(self, names.submit));
  if (!submit) PyErr_Clear();
  return submit && PyCFunction_Check(submit.get()) != 0 &&
         PyCFunction_GET_FUNCTION(submit.get()) == as_method(&submit_method) &&
         !standard_submit_replaced();
}

// A future with its call, for the queue: the reference returned is the caller's.
PyObject* make_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                    PyObject* keyword_names) {
  if (!is_for_threads(arguments[0], "submit")) return nullptr;
  Ref self = Ref::steal(Future::make());
  if (!self) return nullptr;
  Future& future = Future::of(self.get());
  if (!future.store_call(arguments, positional, keyword_names, pool.id())) return nullptr;
  if (pool.propagates_context()) {
    bool failed = false;
    future.set_context(capture_context(failed));
    if (failed) return nullptr;
  }
  return self.release();
}

// Queues a new task, whose reference is taken: a new one, or null with an error set.
PyObject* push_task(Pool* pool, PyObject* object) {
  Future& future = Future::of(object);
  Py_INCREF(object);  // the queue's reference
  const Scheduler::Pushed pushed = pool->scheduler().push(future);
  if (pushed.wake == nullptr && !pushed.grow && pushed.refused == Closed::kNo) return object;

  if (pushed.refused != Closed::kNo) {
    Py_DECREF(object);
    Py_DECREF(object);
    pool->raise_refused(pushed.refused);
    return nullptr;
  }
  const PoolPtr kept(pool);  // starting a thread runs Python code
  if (pool->follow_up(pushed)) return object;
  const SavedError saved;
  if (pool->scheduler().withdraw([&](Task& task) { return &task == &future; }) != nullptr) {
    Py_DECREF(object);
  }
  Py_DECREF(object);
  return nullptr;
}

// submit, whatever tools have done to the standard class.
PyObject* submit_native(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names) {
  if (positional == 0) {
    PyErr_SetString(PyExc_TypeError,
                    "ThreadPoolExecutor.submit() missing 1 required positional argument: 'fn'");
    return nullptr;
  }
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  PyObject* object = make_task(*pool, arguments, positional - 1, keyword_names);
  return object != nullptr ? push_task(pool, object) : nullptr;
}

// The same for asyncio's `run_in_executor`: the loop's own future, with the task behind it.
PyObject* submit_for_loop(PyObject* self, PyObject* loop, PyObject* const* arguments,
                          Py_ssize_t positional) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  Ref task = Ref::steal(make_task(*pool, arguments, positional - 1, nullptr));
  Ref destination = task ? new_future_of(loop) : Ref();
  if (!destination || !Future::of(task.get()).bind_to_loop(loop, destination.get())) return nullptr;
  const Ref pushed = Ref::steal(push_task(pool, task.release()));
  return pushed ? destination.release() : nullptr;
}

PyObject* submit_method(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names) {
  if (!standard_submit_replaced()) {
    if (positional != 0 && keyword_names == nullptr) {
      if (const Ref loop = loop_of_caller(self)) {
        return submit_for_loop(self, loop.get(), arguments, positional);
      }
    }
    return submit_native(self, arguments, positional, keyword_names);
  }
  const Ref method = Ref::steal(PyObject_GetAttrString(self, "_submit_by_standard"));
  return method ? PyObject_Vectorcall(method.get(), arguments, static_cast<std::size_t>(positional),
                                      keyword_names)
                : nullptr;
}

// _submit_plain(fn, ...): submit, if nothing is odd: neither the function, nor the caller (a worker
// of any pool), nor `submit` itself.  None otherwise.
PyObject* submit_plain(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                       PyObject* keyword_names) {
  if (positional == 0 || !is_plainly_blocking(arguments[0]) || standard_submit_replaced() ||
      PythonWorker::current() != nullptr) {
    Py_RETURN_NONE;
  }
  return submit_native(self, arguments, positional, keyword_names);
}

// ---- batches

PyObject* submit_one_by_one(PyObject* self, PyObject* fn, const Batch& batch) {
  const Ref bound = Ref::steal(PyObject_GetAttr(self, names.submit));
  Ref futures = bound ? Ref::steal(PyList_New(0)) : Ref();
  for (Py_ssize_t i = 0; futures && i < batch.size(); ++i) {
    std::vector<PyObject*> call{fn};
    call.insert(call.end(), batch.arguments(i), batch.arguments(i) + batch.arity());
    const Ref future =
        Ref::steal(PyObject_Vectorcall(bound.get(), call.data(), call.size(), nullptr));
    if (!future || PyList_Append(futures.get(), future.get()) < 0) return nullptr;
  }
  return futures.release();
}

PyObject* submit_many(PyObject* self, PyObject* args) {
  if (PyTuple_GET_SIZE(args) < 2) {
    PyErr_SetString(PyExc_TypeError, "submit_many() needs a callable and at least one iterable");
    return nullptr;
  }
  PyObject* fn = PyTuple_GET_ITEM(args, 0);
  const Ref iterables = Ref::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  Batch batch;
  if (!iterables || !batch.gather(iterables.get())) return nullptr;
  if (!uses_own_submit(self)) return submit_one_by_one(self, fn, batch);
  Pool* pool = pool_of(self);
  Ref futures = pool != nullptr ? Ref::steal(PyList_New(batch.size())) : Ref();
  if (!futures) return nullptr;
  const PoolPtr kept(pool);
  std::vector<PyObject*> call(static_cast<std::size_t>(batch.arity()) + 1, fn);
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    std::copy_n(batch.arguments(i), batch.arity(), call.begin() + 1);
    PyObject* future = make_task(*pool, call.data(), batch.arity(), nullptr);
    if (future == nullptr) return nullptr;
    PyList_SET_ITEM(futures.get(), i, future);
  }
  FifoQueue queue;
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    queue.push_back(Future::of(Py_NewRef(PyList_GET_ITEM(futures.get(), i))));
  }
  const Scheduler::Pushed pushed = pool->scheduler().push_all(queue);
  if (pushed.refused != Closed::kNo) {
    while (Task* task = queue.pop_front()) Py_DECREF(static_cast<Future*>(task)->object());
    pool->raise_refused(pushed.refused);
    return nullptr;
  }
  if (pool->follow_up_all(pushed)) return futures.release();
  const SavedError saved;
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    Future::of(PyList_GET_ITEM(futures.get(), i)).cancel_for_pool();
  }
  return nullptr;
}

// _map(fn, iterables, timeout, ordered): the iterator of `map` and `map_unordered`.
PyObject* map(PyObject* self, PyObject* args) {
  PyObject *fn = nullptr, *iterables = nullptr, *timeout = nullptr;
  int ordered = 1;
  if (PyArg_ParseTuple(args, "OO!Op:_map", &fn, &PyTuple_Type, &iterables, &timeout, &ordered) ==
      0) {
    return nullptr;
  }
  Pool* pool = pool_of(self);
  MapJob::Plan plan;
  Batch batch;
  if (pool == nullptr || !is_for_threads(fn, "map") || !parse_timeout(timeout, plan.deadline) ||
      !batch.gather(iterables)) {
    return nullptr;
  }
  plan.fn = Ref::borrow(fn);
  plan.ordered = ordered != 0;
  plan.arity = batch.arity();
  bool failed = false;
  if (pool->propagates_context()) plan.context = capture_context(failed);
  plan.arguments = PyMem_New(PyObject*, static_cast<std::size_t>(batch.size() * batch.arity()));
  if (plan.arguments == nullptr) return PyErr_NoMemory();
  for (; plan.count < batch.size(); ++plan.count) {
    PyObject* const* from = batch.arguments(plan.count);
    PyObject** to = plan.arguments + plan.count * plan.arity;
    for (Py_ssize_t k = 0; k < plan.arity; ++k) to[k] = Py_NewRef(from[k]);
  }
  const MapJobPtr job(new MapJob(pool, std::move(plan)));
  if (failed || !job->submit()) return nullptr;
  return MapJob::make_iterator(job);
}

// ---- life

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) { return executor_type.allocate(type); }

// _open(max_workers, propagate_context, daemon): what __init__ ends with.
PyObject* open(PyObject* self, PyObject* args) {
  Py_ssize_t max_workers = 0;
  int propagate_context = 1, daemon = 0;
  if (PyArg_ParseTuple(args, "npp:_open", &max_workers, &propagate_context, &daemon) == 0) {
    return nullptr;
  }
  Ref reference = Ref::steal(PyWeakref_NewRef(self, nullptr));
  if (!reference) return nullptr;
  executor_type.data(self).pool =
      new Pool(static_cast<std::size_t>(max_workers), propagate_context != 0, daemon != 0,
               std::move(reference));
  Py_RETURN_NONE;
}

PyObject* close(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  pool->scheduler().close(Closed::kShutdown);
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
  pool->scheduler().close(Closed::kBroken);
  pool->fail_queued(exception);
  Py_RETURN_NONE;
}

// _may_batch(iterables): whether `map` may take its items all at once and submit them by itself.
PyObject* may_batch(PyObject* self, PyObject* iterables) {
  return PyBool_FromLong(PyTuple_Check(iterables) && Batch::is_plain(iterables) &&
                         uses_own_submit(self));
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

PyObject* put(PyObject* self, PyObject* item) {
  Pool* pool = pool_of(self);
  return pool != nullptr ? put_item(*pool, item) : nullptr;
}

PyObject* is_shut_down(PyObject* self, void*) {
  Pool* pool = executor_type.data(self).pool.get();
  return PyBool_FromLong(pool != nullptr && pool->scheduler().closed() >= Closed::kShutdown);
}

int set_shut_down(PyObject* self, PyObject* value, void*) {
  Pool* pool = executor_type.data(self).pool.get();
  const int shut_down = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (shut_down > 0 && pool != nullptr) pool->scheduler().close(Closed::kShutdown);
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
      pool->scheduler().close(Closed::kShutdown);
    }
  });
}

}  // namespace

bool make_executor_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"submit", as_method(&submit_method), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Have fn(*args, **kwargs) called by a worker; return a Future for its outcome.\n\n"
       "The call sees the caller's context variables.  Raises RuntimeError after shutdown, and\n"
       "BrokenThreadPool when an initializer has failed.\n\n"
       "    >>> pool.submit(pow, 2, 10).result()\n"
       "    1024"},
      {"submit_many", submit_many, METH_VARARGS,
       "submit_many($self, fn, /, *iterables)\n--\n\n"
       "Submit fn(*items) for each of zip(*iterables) at once; return the list of Futures.\n\n"
       "All are queued in one operation, in order: none when the pool refuses.\n\n"
       "    >>> [f.result() for f in pool.submit_many(abs, [-1, 2])]\n"
       "    [1, 2]"},
      {"_submit_native", as_method(&submit_native), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_submit_plain", as_method(&submit_plain), METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_map", map, METH_VARARGS, nullptr},
      {"_open", open, METH_VARARGS, nullptr},
      {"_close", close, METH_NOARGS, nullptr},
      {"_cancel_queued", cancel_queued, METH_NOARGS, nullptr},
      {"_break", break_pool, METH_O, nullptr},
      {"_may_batch", may_batch, METH_O, nullptr},
      {"_idle_workers", count<&Scheduler::Counts::idle>, METH_NOARGS, nullptr},
      {"_thread_count", count<&Scheduler::Counts::threads>, METH_NOARGS, nullptr},
      {"_queue_size", count<&Scheduler::Counts::queued>, METH_NOARGS, nullptr},
      {"_time_calls", with_pool<time_calls>, METH_NOARGS, nullptr},
      {"_running_calls", with_pool<running_calls>, METH_NOARGS, nullptr},
      {"_is_worker_here", with_pool<is_worker_here>, METH_NOARGS, nullptr},
      {"_starting_here", with_pool<starting_here>, METH_NOARGS, nullptr},
      {"_take_item", with_pool<take_item>, METH_NOARGS, nullptr},
      {"_put_item", put, METH_O, nullptr},
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
