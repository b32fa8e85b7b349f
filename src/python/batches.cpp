#include "python/batches.hpp"

#include <algorithm>
#include <vector>

#include "python/batch.hpp"
#include "python/blocking_function.hpp"
#include "python/bound.hpp"
#include "python/context.hpp"
#include "python/map_job.hpp"
#include "python/stdlib.hpp"
#include "python/submission.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

PyObject* submit_one_by_one(PyObject* self, PyObject* fn, const Batch& batch) {
  const Ref bound = Ref::steal(PyObject_GetAttr(self, names.submit));
  Ref futures = bound ? Ref::steal(PyList_New(0)) : Ref();
  for (Py_ssize_t i = 0; futures && i < batch.size(); ++i) {
    std::vector<PyObject*> call{fn};
    call.insert(call.end(), batch.arguments(i), batch.arguments(i) + batch.arity());
    const Ref future =
        Ref::steal(PyObject_Vectorcall(bound.get(), call.data(), call.size(), nullptr));
    if (future && PyList_Append(futures.get(), future.get()) == 0) continue;
    const SavedError saved;
    for (Py_ssize_t k = PyList_GET_SIZE(futures.get()); k > 0; --k) {  // all or none
      const Ref cancelled =
          Ref::steal(PyObject_CallMethod(PyList_GET_ITEM(futures.get(), k - 1), "cancel", nullptr));
      if (!cancelled) PyErr_Clear();
    }
    return nullptr;
  }
  return futures.release();
}

}  // namespace

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
  const Moment submission = pool->statistics().submission();
  const bool limited = submitter_has_limits();
  std::vector<PyObject*> call(static_cast<std::size_t>(batch.arity()) + 1, fn);
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    std::copy_n(batch.arguments(i), batch.arity(), call.begin() + 1);
    Ref future =
        limited ? make_ordered_task(*pool, {call.data(), batch.arity(), nullptr}, {})
                : Ref::steal(make_own_task(*pool, call.data(), batch.arity(), nullptr, submission));
    if (!future) return nullptr;
    PyList_SET_ITEM(futures.get(), i, future.release());
  }
  if (pool->bound() != nullptr) {
    return push_all_bounded(*pool, futures.get()) ? futures.release() : nullptr;
  }
  FifoQueue queue;
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    queue.push_back(Future::of(Py_NewRef(PyList_GET_ITEM(futures.get(), i))));
  }
  const Scheduler::Pushed pushed = pool->scheduler().push_all(queue);
  if (pushed.refused != Closed::kNo) {
    while (Task* task = queue.pop_front()) Py_DECREF(static_cast<Future*>(task)->object());
    pool->raise_refused(pushed.refused, static_cast<std::uint64_t>(batch.size()));
    return nullptr;
  }
  for (Py_ssize_t i = 0; limited && i < batch.size(); ++i) {
    watch_queued(PyList_GET_ITEM(futures.get(), i));
  }
  if (pool->follow_up_all(pushed)) return futures.release();
  const SavedError saved;
  for (Py_ssize_t i = 0; i < batch.size(); ++i) {
    Future::of(PyList_GET_ITEM(futures.get(), i)).cancel_for_pool();
  }
  return nullptr;
}

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
  plan.submission = pool->statistics().submission();
  const MapJobPtr job(new MapJob(pool, std::move(plan)));
  if (failed || !job->submit()) return nullptr;
  return MapJob::make_iterator(job);
}

PyObject* may_batch(PyObject* self, PyObject* iterables) {
  // The items of a batch have no options of their own: not even a deadline that they inherit.
  return PyBool_FromLong(PyTuple_Check(iterables) && Batch::is_plain(iterables) &&
                         uses_own_submit(self) &&
                         (PyTuple_GET_SIZE(iterables) == 0 || !submitter_has_limits()));
}

}  // namespace treadle::python
