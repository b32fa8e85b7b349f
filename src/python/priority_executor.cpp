#include "python/priority_executor.hpp"

#include "python/asyncio_code.hpp"
#include "python/submission.hpp"

namespace treadle::python {

namespace {

// submit(priority, fn, ...) or submit(fn, ...).
PyObject* submit(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                 PyObject* keyword_names) {
  Pool* pool = pool_of(self);
  Submission submission{nullptr, 0, keyword_names};
  Order order;
  if (pool == nullptr || !read_call("submit", *pool, arguments, positional, submission, order)) {
    return nullptr;
  }
  const bool given = submission.arguments != arguments;
  if (!given && standard_submit_replaced()) return submit_by_standard(self, submission);
  if (!given && keyword_names == nullptr) {
    if (const Ref loop = loop_of_caller(self)) {
      return submit_for_loop(self, loop.get(), submission, {});
    }
  }
  return submit_ordered(self, submission, std::move(order));
}

// _rank_all(aging): every task is ranked from now on; `aging` is in seconds, None for never.
PyObject* rank_all(PyObject* self, PyObject* aging) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  const double seconds = aging == Py_None ? 0 : PyFloat_AsDouble(aging);
  if (PyErr_Occurred() != nullptr) return nullptr;
  pool->rank_all(seconds);
  Py_RETURN_NONE;
}

// _move(future, priority): gives a task that waits in the queue another priority.  Whether it does.
PyObject* move(PyObject* self, PyObject* args) {
  Pool* pool = pool_of(self);
  PyObject *object = nullptr, *given = nullptr;
  std::int64_t priority = 0;
  if (pool == nullptr || PyArg_UnpackTuple(args, "_move", 2, 2, &object, &given) == 0 ||
      !read_priority(given, priority)) {
    return nullptr;
  }
  if (!Future::is_instance(object) || Future::of(object).pool() != pool->id()) {
    PyErr_Format(PyExc_ValueError, "the future must be one of this executor, not %R", object);
    return nullptr;
  }
  return PyBool_FromLong(pool->scheduler().move(Future::of(object), pool->level_of(priority)));
}

}  // namespace

bool make_priority_executor_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"submit", as_method(&submit), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, priority_or_fn, /, *args, **kwargs)\n--\n\n"
       "Have fn(*args, **kwargs) called by a worker; return a Future for its outcome.\n\n"
       "submit(priority, fn, ...) with an int, the lowest first; submit(fn, ...) at priority 0.\n"
       "Tasks of the same priority run in the order of their submission.\n\n"
       "    >>> pool.submit(-1, pow, 2, 10).result()\n"
       "    1024"},
      {"_rank_all", rank_all, METH_O, nullptr},
      {"_move", move, METH_VARARGS, nullptr},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The native half of treadle.PriorityExecutor.")},
      {Py_tp_methods, methods},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.PriorityExecutor", 0, 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  const Ref bases = Ref::steal(PyTuple_Pack(1, executor_type.type()));
  const Ref type = bases ? Ref::steal(PyType_FromModuleAndSpec(module, &spec, bases.get())) : Ref();
  return type && PyModule_AddObjectRef(module, "PriorityExecutor", type.get()) == 0;
}

}  // namespace treadle::python
