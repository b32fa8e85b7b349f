#include "python/submission.hpp"

#include "python/asyncio_code.hpp"
#include "python/blocking_function.hpp"
#include "python/caller_runs.hpp"
#include "python/context.hpp"
#include "python/loop_bridge.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

std::atomic<unsigned int> unchanged_standard_class{0};

bool look_for_standard_submit() {
  const Ref now = Ref::steal(PyObject_GetAttr(stdlib.executor, names.submit));
  if (!now) {
    PyErr_Clear();
    return false;
  }
  if (now.get() != stdlib.executor_submit) return true;
  unchanged_standard_class.store(reinterpret_cast<PyTypeObject*>(stdlib.executor)->tp_version_tag,
                                 std::memory_order_relaxed);
  return false;
}

namespace {

// The steps of a plain submit are short and stand in one function, for which every submit pays.

[[gnu::always_inline]] inline PyObject* make(Pool& pool, PyObject* const* arguments,
                                             Py_ssize_t positional, PyObject* keyword_names,
                                             Moment submission) {
  if (!is_for_threads(arguments[0], "submit")) return nullptr;
  Ref self = Ref::steal(Future::make());
  if (!self) return nullptr;
  Future& future = Future::of(self.get());
  if (!future.store_call(arguments, positional, keyword_names, pool.id(), submission)) {
    return nullptr;
  }
  if (pool.propagates_context()) {
    bool failed = false;
    future.set_context(capture_context(failed));
    if (failed) return nullptr;
  }
  return self.release();
}

[[gnu::always_inline]] inline PyObject* make_own(Pool& pool, PyObject* const* arguments,
                                                 Py_ssize_t positional, PyObject* keyword_names,
                                                 Moment submission) {
  PyObject* task = make(pool, arguments, positional, keyword_names, submission);
  if ((PythonWorker::current() != nullptr || Outsider::current() != nullptr) && task != nullptr)
      [[unlikely]] {
    if (Future* submitter = current_future()) submitter->adopt(task);
  }
  return task;
}

// What is left to do when the scheduler has asked for something.
[[gnu::noinline]] PyObject* follow_push(Pool* pool, PyObject* object,
                                        const Scheduler::Pushed& pushed) {
  Future& future = Future::of(object);
  if (pushed.refused != Closed::kNo) {
    Py_DECREF(object);
    Py_DECREF(object);
    pool->raise_refused(pushed.refused);
    return nullptr;
  }
  const PoolPtr kept(pool);  // starting a thread runs Python code
  if (pool->follow_up(pushed)) return object;
  const SavedError saved;
  if (future.limits() != nullptr) future.limits()->stop_watching(future);
  if (pool->scheduler().withdraw([&](Task& task) { return &task == &future; }) != nullptr) {
    pool->statistics().take_back();
    Py_DECREF(object);
  }
  Py_DECREF(object);
  return nullptr;
}

[[gnu::always_inline]] inline PyObject* push(Pool* pool, PyObject* object) {
  Future& future = Future::of(object);
  Py_INCREF(object);  // the queue's reference
  const Scheduler::Pushed pushed = pool->scheduler().push(future);
  if (pushed.wake == nullptr && !pushed.grow && pushed.refused == Closed::kNo) return object;
  return follow_push(pool, object, pushed);
}

}  // namespace

PyObject* make_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                    PyObject* keyword_names, Moment submission) {
  return make(pool, arguments, positional, keyword_names, submission);
}

PyObject* make_own_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names, Moment submission) {
  return make_own(pool, arguments, positional, keyword_names, submission);
}

PyObject* push_to_queue(Pool* pool, PyObject* object) {
  const bool timed = Future::of(object).limits() != nullptr;
  PyObject* pushed = push(pool, object);
  if (timed && pushed != nullptr) watch_queued(pushed);
  return pushed;
}

void watch_queued(PyObject* task) {
  Future& future = Future::of(task);
  if (TimedOptions* limits = future.limits()) limits->watch_queue(future);
}

Ref make_ordered_task(Pool& pool, const Submission& submission, Order order) {
  const auto make = order.settings && !order.settings->inherits ? &make_task : &make_own_task;
  Ref task = Ref::steal(make(pool, submission.arguments, submission.positional,
                             submission.keyword_names, pool.statistics().submission()));
  if (!task) return task;
  if (order.settings && order.settings->context) {
    Ref context = Ref::steal(PyContext_Copy(order.settings->context.get()));
    if (!context) return {};
    Future::of(task.get()).replace_context(std::move(context));
  }
  return give_options(Future::of(task.get()), pool, std::move(order)) ? std::move(task) : Ref();
}

namespace {

// Queues a new task, or does what the pool does when its queue is full; the same as push_to_queue.
PyObject* push_task(Pool* pool, PyObject* object) {
  return pool->bound() == nullptr ? push_to_queue(pool, object) : push_bounded(*pool, object);
}

}  // namespace

PyObject* submit_ordered(PyObject* self, const Submission& submission, Order order) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  Ref task = make_ordered_task(*pool, submission, std::move(order));
  return task ? push_task(pool, task.release()) : nullptr;
}

PyObject* submit_for_loop(PyObject* self, PyObject* loop, const Submission& submission,
                          Order order) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  Ref task = make_ordered_task(*pool, submission, std::move(order));
  Ref destination = task ? new_future_of(loop) : Ref();
  if (!destination || !Future::of(task.get()).bind_to_loop(loop, destination.get())) return nullptr;
  const Ref pushed = Ref::steal(push_task(pool, task.release()));
  return pushed ? destination.release() : nullptr;
}

PyObject* submit_by_standard(PyObject* self, const Submission& submission) {
  const Ref method = Ref::steal(PyObject_GetAttrString(self, "_submit_by_standard"));
  return method ? PyObject_Vectorcall(method.get(), submission.arguments,
                                      static_cast<std::size_t>(submission.positional + 1),
                                      submission.keyword_names)
                : nullptr;
}

PyObject* submit_native(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names) {
  if (positional == 0) {
    PyErr_SetString(PyExc_TypeError,
                    "ThreadPoolExecutor.submit() missing 1 required positional argument: 'fn'");
    return nullptr;
  }
  if (submitter_has_limits()) [[unlikely]] {
    return submit_ordered(self, {arguments, positional - 1, keyword_names}, {});
  }
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  PyObject* object =
      make_own(*pool, arguments, positional - 1, keyword_names, pool->statistics().submission());
  if (object == nullptr) return nullptr;
  return pool->bound() == nullptr ? push(pool, object) : push_bounded(*pool, object);
}

PyObject* submit_method(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names) {
  if (!standard_submit_replaced()) {
    if (positional != 0 && keyword_names == nullptr) {
      if (const Ref loop = loop_of_caller(self)) {
        return submit_for_loop(self, loop.get(), {arguments, positional - 1, nullptr}, {});
      }
    }
    return submit_native(self, arguments, positional, keyword_names);
  }
  if (positional == 0) return submit_native(self, arguments, positional, keyword_names);  // fails
  return submit_by_standard(self, {arguments, positional - 1, keyword_names});
}

PyObject* submit_plain(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                       PyObject* keyword_names) {
  if (positional == 0 || !is_plainly_blocking(arguments[0]) || standard_submit_replaced() ||
      PythonWorker::current() != nullptr) {
    Py_RETURN_NONE;
  }
  return submit_native(self, arguments, positional, keyword_names);
}

bool uses_own_submit(PyObject* self) {
  const Ref submit = Ref::steal(PyObject_GetAttr(self, names.submit));
  if (!submit) PyErr_Clear();
  return submit && PyCFunction_Check(submit.get()) != 0 &&
         PyCFunction_GET_FUNCTION(submit.get()) == as_method(&submit_method) &&
         !standard_submit_replaced();
}

}  // namespace treadle::python
