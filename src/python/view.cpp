#include "python/view.hpp"

#include <algorithm>

#include "python/caller_runs.hpp"
#include "python/heap_type.hpp"
#include "python/helping.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/submission.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

struct View {
  Ref executor;
  SettingsPtr settings;
  bool takes_priority = false;    // `submit` may begin with one
  std::atomic<bool> over{false};  // relaxed: whoever submits meanwhile is late or early
};

HeapType<View> view_type;

// Null with an error set.
Pool* pool_behind(const View& view) {
  if (view.executor) return pool_of(view.executor.get());
  PyErr_SetString(PyExc_RuntimeError, "View.__init__() was not called");
  return nullptr;
}

// submit(fn, ...) or, where the executor takes priorities and the view has none, with one.
PyObject* submit(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                 PyObject* keyword_names) {
  const View& view = view_type.data(self);
  Pool* pool = pool_behind(view);
  if (pool == nullptr) return nullptr;
  std::int64_t priority = view.settings->priority.value_or(0);
  if (view.takes_priority && positional != 0 && is_meant_as_priority(arguments[0])) {
    if (!read_priority(arguments[0], priority)) return nullptr;
    ++arguments;
    --positional;
  }
  if (positional == 0) {
    PyErr_SetString(PyExc_TypeError, "submit() missing 1 required positional argument: 'fn'");
    return nullptr;
  }
  if (PyCallable_Check(arguments[0]) == 0) {
    PyErr_Format(PyExc_TypeError, "submit() of a view %s takes a function first, not %R",
                 view.settings->priority ? "with a fixed priority" : "of a pool without priorities",
                 arguments[0]);
    return nullptr;
  }
  if (view.over.load(std::memory_order_relaxed)) {
    pool->raise_refused(Closed::kShutdown);
    return nullptr;
  }
  return submit_ordered(view.executor.get(), {arguments, positional - 1, keyword_names},
                        {.priority = priority, .settings = view.settings});
}

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) { return view_type.allocate(type); }

// A number of seconds, or None, which is zero.
Clock::duration seconds_or_none(PyObject* object) {
  const double seconds = object == Py_None ? 0 : PyFloat_AsDouble(object);
  const std::chrono::duration<double> given(seconds);
  // However little it is, it is more than none.
  const Clock::duration least(seconds > 0 ? 1 : 0);
  return std::max(least, std::chrono::duration_cast<Clock::duration>(given));
}

// _see(executor, priority, deadline, timeout, name, context, inherits, takes_priority): what
// __init__ ends with.  What is not set is None.
PyObject* see(PyObject* self, PyObject* args) {
  PyObject *executor = nullptr, *priority = nullptr, *deadline = nullptr, *timeout = nullptr,
           *name = nullptr, *context = nullptr;
  int inherits = 1, takes_priority = 0;
  if (PyArg_ParseTuple(args, "O!OOOOOpp:_see", executor_type.type(), &executor, &priority,
                       &deadline, &timeout, &name, &context, &inherits, &takes_priority) == 0) {
    return nullptr;
  }
  const boost::intrusive_ptr<Settings> settings(new Settings);
  if (priority != Py_None) {
    std::int64_t level = 0;
    if (!read_priority(priority, level)) return nullptr;
    settings->priority = level;
  }
  Pool* pool = pool_of(executor);
  if (pool == nullptr) return nullptr;
  settings->tells_priority = pool->ages() && settings->priority;
  settings->deadline = seconds_or_none(deadline);
  settings->timeout = seconds_or_none(timeout);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (name != Py_None) settings->name = Ref::borrow(name);
  if (context != Py_None) settings->context = Ref::borrow(context);
  settings->inherits = inherits != 0;
  View& view = view_type.data(self);
  view.executor = Ref::borrow(executor);
  view.settings = settings;
  view.takes_priority = takes_priority != 0;
  Py_RETURN_NONE;
}

// _end(cancel_queued): no more calls by way of this view.
PyObject* end(PyObject* self, PyObject* cancel_queued) {
  View& view = view_type.data(self);
  view.over.store(true, std::memory_order_relaxed);
  const int cancels = PyObject_IsTrue(cancel_queued);
  Pool* pool = cancels >= 0 ? pool_behind(view) : nullptr;
  if (pool == nullptr) return nullptr;
  if (cancels > 0) pool->cancel_queued_of(*view.settings);
  Py_RETURN_NONE;
}

// _has_task_here(): whether the calling thread is inside of a call of this view.
PyObject* has_task_here(PyObject* self, PyObject*) {
  const View& view = view_type.data(self);
  return PyBool_FromLong(is_inside_task([&](Future& future) {
    const TaskOptions* options = future.options();
    return !future.done() && options != nullptr && options->is_of(view.settings.get());
  }));
}

// _unfinished(): how many calls of this view have not ended.  An event loop asks that is about to
// wait for them: in a worker of the pool it must not hold them up.
PyObject* unfinished(PyObject* self, PyObject*) {
  const View& view = view_type.data(self);
  const Pool* pool = pool_behind(view);
  if (pool == nullptr) return nullptr;
  const std::uint32_t left = view.settings->unfinished.load(std::memory_order_acquire);  // see end
  PythonWorker* worker = PythonWorker::current();
  if (left != 0 && worker != nullptr && &worker->pool() == pool) worker->expect_wait();
  return PyLong_FromUnsignedLong(left);
}

// _wait_for_all(timeout): until every call of this view has ended; False when the time is up.
PyObject* wait_for_all(PyObject* self, PyObject* timeout) {
  Deadline deadline;
  if (pool_behind(view_type.data(self)) == nullptr || !parse_timeout(timeout, deadline)) {
    return nullptr;
  }
  const SettingsPtr settings = view_type.data(self).settings;
  // A worker that waits here for tasks of its own pool must not hold them up.
  const BlockedWorker blocked(PythonWorker::current());
  for (;;) {
    // Pairs with the release in `TaskOptions::end`.
    const std::uint32_t left = settings->unfinished.load(std::memory_order_acquire);
    if (left == 0) Py_RETURN_TRUE;
    switch (wait_for_change(settings->unfinished, left, deadline)) {
      case Waited::kError:
        return nullptr;
      case Waited::kTimedOut:
        if (settings->unfinished.load(std::memory_order_acquire) == 0) Py_RETURN_TRUE;
        Py_RETURN_FALSE;
      case Waited::kLookAgain:
        break;
    }
  }
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const View& view = view_type.data(self);
  Py_VISIT(view.executor.get());
  if (view.settings && !view.settings->is_shared()) {  // else its tasks, too, keep what is there
    Py_VISIT(view.settings->name.get());
    Py_VISIT(view.settings->context.get());
  }
  return visit_dictionary(self, visit, arg);
}

int clear(PyObject* self) {
  View& view = view_type.data(self);
  const Ref executor = std::move(view.executor);
  const SettingsPtr settings = std::move(view.settings);
  clear_dictionary(self);
  return 0;
}

void deallocate(PyObject* self) {
  view_type.deallocate(self, deallocate, [](PyObject*) {});
}

}  // namespace

bool make_view_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"submit", as_method(&submit), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Have fn(*args, **kwargs) called by a worker of the pool, with this view's options."},
      {"_see", see, METH_VARARGS, nullptr},
      {"_end", end, METH_O, nullptr},
      {"_has_task_here", has_task_here, METH_NOARGS, nullptr},
      {"_unfinished", unfinished, METH_NOARGS, nullptr},
      {"_wait_for_all", wait_for_all, METH_O, nullptr},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The native half of what `options` of an executor gives.")},
      {Py_tp_new, function_slot(&create)},
      {Py_tp_traverse, function_slot(&traverse)},
      {Py_tp_clear, function_slot(&clear)},
      {Py_tp_dealloc, function_slot(&deallocate)},
      {Py_tp_methods, methods},
      {0, nullptr}};
  if (!view_type.make(module, "treadle._core.View", slots, stdlib.executor_interface)) return false;
  return PyModule_AddObjectRef(module, "View", reinterpret_cast<PyObject*>(view_type.type())) == 0;
}

}  // namespace treadle::python
