#include "python/view.hpp"

#include "python/bounded_methods.hpp"
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

// The pool of a view that is not over; null with an error set.
Pool* open_pool_of(const View& view) {
  if (!view.executor) {
    PyErr_SetString(PyExc_RuntimeError, "View.__init__() was not called");
    return nullptr;
  }
  Pool* pool = pool_of(view.executor.get());
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
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// A new reservation, that of a view which this one stands upon, or none (None).  False with an
// error set.
bool get_reservation(Pool& pool, PyObject* reserve, ReservationPtr& reservation) {
  if (reserve == Py_None) return true;
  if (view_type.is_instance(reserve)) {
    reservation = view_type.data(reserve).settings->reservation;
    if (reservation) reservation->add_view();
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
  const boost::intrusive_ptr<Settings> settings(new Settings);
  if (priority != Py_None) {
    std::int64_t level = 0;
    if (!read_priority(priority, level)) return nullptr;
    settings->priority = level;
  }
  settings->deadline = seconds_or_none(deadline);
  settings->timeout = seconds_or_none(timeout);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (name != Py_None) settings->name = Ref::borrow(name);
  if (context != Py_None) settings->context = Ref::borrow(context);
  settings->inherits = inherits != 0;
  if (!get_reservation(*pool, reserve, settings->reservation)) return nullptr;
  if (settings->reservation) settings->reserve = &settings->reservation->reserve();
  View& view = view_type.data(self);
  view.executor = Ref::borrow(executor);
  view.settings = settings;
  Py_RETURN_NONE;
}

// _end(cancel_queued): no more calls by way of this view.
PyObject* end(PyObject* self, PyObject* cancel_queued) {
  View& view = view_type.data(self);
  view.over.store(true, std::memory_order_relaxed);
  const int cancels = PyObject_IsTrue(cancel_queued);
  Pool* pool = cancels > 0 && view.executor ? pool_of(view.executor.get()) : nullptr;
  if (pool != nullptr) pool->cancel_queued_of(*view.settings);
  if (PyErr_Occurred() != nullptr) return nullptr;
  Py_RETURN_NONE;
}

// _release(): keeps no workers for this view any more.
PyObject* release(PyObject* self, PyObject*) {
  View& view = view_type.data(self);
  if (!view.settings || !view.settings->reservation) Py_RETURN_NONE;
  if (view.released.exchange(true, std::memory_order_relaxed)) Py_RETURN_NONE;
  if (!view.settings->reservation->remove_view(false)) return nullptr;
  Py_RETURN_NONE;
}

// _wait_for_all(): until every call of this view has ended.
PyObject* wait_for_all(PyObject* self, PyObject*) {
  const SettingsPtr settings = view_type.data(self).settings;
  if (!settings) Py_RETURN_NONE;
  // A worker that waits here for tasks of its own pool must not hold them up.
  const BlockedWorker blocked(PythonWorker::current());
  for (;;) {
    // Pairs with the release in `TaskOptions::end`.
    const std::uint32_t left = settings->unfinished.load(std::memory_order_acquire);
    if (left == 0) Py_RETURN_NONE;
    if (wait_for_change(settings->unfinished, left, std::nullopt) == Waited::kError) return nullptr;
  }
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(view_type.data(self).executor.get());
  return visit_dictionary(self, visit, arg);
}

int clear(PyObject* self) {
  const Ref executor = std::move(view_type.data(self).executor);
  clear_dictionary(self);
  return 0;
}

void deallocate(PyObject* self) {
  view_type.deallocate(self, deallocate, [](PyObject* object) {
    View& view = view_type.data(object);
    const bool holds = view.settings && view.settings->reservation &&
                       !view.released.exchange(true, std::memory_order_relaxed);
    // Garbage collections come at any moment, also while `threading` holds a lock that the start of
    // a thread needs.
    if (holds) (void)view.settings->reservation->remove_view(true);
  });
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
      {"_wait_for_all", wait_for_all, METH_NOARGS, nullptr},
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
