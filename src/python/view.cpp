#include "python/view.hpp"

#include <algorithm>

#include "python/bounded_methods.hpp"
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
  std::atomic<bool> over{false};      // relaxed: whoever submits meanwhile is late or early
  std::atomic<bool> released{false};  // it has no part in its reservation any more
};

HeapType<View> view_type;

// Null with an error set.
Pool* pool_behind(const View& view) {
  if (view.executor) return pool_of(view.executor.get());
  PyErr_SetString(PyExc_RuntimeError, "View.__init__() was not called");
  return nullptr;
}

// The same for a view that is not over.
Pool* open_pool_of(const View& view) {
  Pool* pool = pool_behind(view);
  if (pool == nullptr || !view.over.load(std::memory_order_relaxed)) return pool;
  pool->raise_refused(Closed::kShutdown);
  return nullptr;
}

// submit(fn, ...) or, where the executor takes priorities and the view has none, with one.
PyObject* submit(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                 PyObject* keyword_names) {
  const View& view = view_type.data(self);
  Pool* pool = open_pool_of(view);
  Submission submission{nullptr, 0, keyword_names};
  Order order{0, view.settings};
  if (pool == nullptr || !read_call("submit", *pool, arguments, positional, submission, order)) {
    return nullptr;
  }
  return submit_ordered(view.executor.get(), submission, std::move(order));
}

// What bounded_methods.hpp has, with the view's settings.
template <auto kSubmit>
PyObject* with_settings(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names) {
  const View& view = view_type.data(self);
  Pool* pool = open_pool_of(view);
  return pool != nullptr ? kSubmit(*pool, view.settings, arguments, positional, keyword_names)
                         : nullptr;
}

PyObject* ask_for_place(PyObject* self, PyObject*) {
  const View& view = view_type.data(self);
  Pool* pool = open_pool_of(view);
  return pool != nullptr ? ask_for_place_of(*pool, view.settings) : nullptr;
}

// Tools that replace the standard class's `submit` do not see a view's.
PyObject* is_never_replaced(PyObject*, PyObject*) { Py_RETURN_FALSE; }

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) { return view_type.allocate(type); }

// A number of seconds, or None, which is zero.
Clock::duration seconds_or_none(PyObject* object) {
  const double seconds = object == Py_None ? 0 : PyFloat_AsDouble(object);
  const std::chrono::duration<double> given(seconds);
  // However little it is, it is more than none.
  const Clock::duration least(seconds > 0 ? 1 : 0);
  return std::max(least, std::chrono::duration_cast<Clock::duration>(given));
}

// A new reservation, that of a view which this one stands upon, or none (None).  False with an
// error set.
bool get_reservation(Pool& pool, PyObject* reserve, ReservationPtr& reservation) {
  if (reserve == Py_None) return true;
  if (view_type.is_instance(reserve)) {
    if (const SettingsPtr below = view_type.data(reserve).settings) {
      reservation = below->reservation;
      if (reservation) reservation->add_view();
    }
    return true;
  }
  const std::size_t workers = PyLong_AsSize_t(reserve);
  if (PyErr_Occurred() != nullptr) return false;
  reservation = Reservation::make(pool, workers);
  return reservation != nullptr;
}

// _see(executor, priority, deadline, timeout, name, context, inherits, reserve): what __init__ ends
// with.  What is not set is None; `reserve` is a number, or a view to share one with.
PyObject* see(PyObject* self, PyObject* args) {
  PyObject *executor = nullptr, *priority = nullptr, *deadline = nullptr, *timeout = nullptr,
           *name = nullptr, *context = nullptr;
  PyObject* reserve = nullptr;
  int inherits = 1;
  if (PyArg_ParseTuple(args, "O!OOOOOpO:_see", executor_type.type(), &executor, &priority,
                       &deadline, &timeout, &name, &context, &inherits, &reserve) == 0) {
    return nullptr;
  }
  Pool* pool = pool_of(executor);
  if (pool == nullptr) return nullptr;
  View& view = view_type.data(self);
  if (view.settings) {
    PyErr_SetString(PyExc_RuntimeError, "View.__init__() was called already");
    return nullptr;
  }
  const boost::intrusive_ptr<Settings> settings(new Settings);
  if (priority != Py_None) {
    std::int64_t level = 0;
    if (!read_priority(priority, level)) return nullptr;
    settings->priority = level;
  }
  settings->tells_priority = pool->ages() && settings->priority;
  settings->deadline = seconds_or_none(deadline);
  settings->timeout = seconds_or_none(timeout);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (name != Py_None) settings->name = Ref::borrow(name);
  if (context != Py_None) settings->context = Ref::borrow(context);
  settings->inherits = inherits != 0;
  if (!get_reservation(*pool, reserve, settings->reservation)) return nullptr;
  if (settings->reservation) settings->reserve = &settings->reservation->reserve();
  view.executor = Ref::borrow(executor);
  view.settings = settings;
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

// Whether the view has had its part in a reservation until now; from now on it has none.
bool holds_reservation(View& view) {
  return view.settings && view.settings->reservation &&
         !view.released.exchange(true, std::memory_order_relaxed);
}

// _release(): keeps no workers for this view any more.
PyObject* release(PyObject* self, PyObject*) {
  View& view = view_type.data(self);
  if (holds_reservation(view) && !view.settings->reservation->remove_view(false)) return nullptr;
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

// Garbage collections come at any moment, also while `threading` holds a lock that the start of a
// thread needs.
void release_quietly(View& view) {
  if (holds_reservation(view)) (void)view.settings->reservation->remove_view(true);
}

int clear(PyObject* self) {
  View& view = view_type.data(self);
  release_quietly(view);
  const Ref executor = std::move(view.executor);
  const SettingsPtr settings = std::move(view.settings);
  clear_dictionary(self);
  return 0;
}

void deallocate(PyObject* self) {
  view_type.deallocate(self, deallocate,
                       [](PyObject* object) { release_quietly(view_type.data(object)); });
}

}  // namespace

bool make_view_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"submit", as_method(&submit), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Have fn(*args, **kwargs) called by a worker of the pool, with this view's options."},
      {"try_submit", as_method(&with_settings<&try_submit_to>), METH_FASTCALL | METH_KEYWORDS,
       "try_submit($self, fn, /, *args, **kwargs)\n--\n\n"
       "Submit, or return None when the queue is full."},
      {"_submit_in_time", as_method(&with_settings<&submit_in_time_to>),
       METH_FASTCALL | METH_KEYWORDS, nullptr},
      {"_ask_for_place", ask_for_place, METH_NOARGS, nullptr},
      {"_submit_was_replaced", is_never_replaced, METH_NOARGS, nullptr},
      {"_see", see, METH_VARARGS, nullptr},
      {"_end", end, METH_O, nullptr},
      {"_release", release, METH_NOARGS, nullptr},
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
