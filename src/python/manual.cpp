#include "python/manual.hpp"

#include "python/executor.hpp"
#include "python/priority_executor.hpp"
#include "python/python_worker.hpp"

namespace treadle::python {

namespace {

// The executor's clock, or null with an error set.
ManualTime* time_of(PyObject* self) {
  Pool* pool = pool_of(self);
  auto* time = pool != nullptr ? dynamic_cast<ManualTime*>(pool->time().get()) : nullptr;
  if (pool != nullptr && time == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "ManualExecutor.__init__() was not called");
  }
  return time;
}

// _run_by_hand(): what __init__ ends with.
PyObject* run_by_hand(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  if (pool == nullptr) return nullptr;
  pool->run_by_hand(TimeKeeperPtr(new ManualTime));
  Py_RETURN_NONE;
}

// _run_one(): whether there was a task to run.
PyObject* run_one(PyObject* self, PyObject*) {
  Pool* pool = pool_of(self);
  const int ran = pool != nullptr ? PythonWorker::run_by_hand(*pool, self) : -1;
  return ran < 0 ? nullptr : PyBool_FromLong(ran);
}

// _advance(seconds)
PyObject* advance(PyObject* self, PyObject* object) {
  ManualTime* time = time_of(self);
  const double seconds = time != nullptr ? PyFloat_AsDouble(object) : -1;
  if (PyErr_Occurred() != nullptr) return nullptr;
  time->advance(
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
  Py_RETURN_NONE;
}

}  // namespace

bool make_manual_executor_type(PyObject* module) {
  static PyMethodDef methods[] = {{"_run_by_hand", run_by_hand, METH_NOARGS, nullptr},
                                  {"_run_one", run_one, METH_NOARGS, nullptr},
                                  {"_advance", advance, METH_O, nullptr},
                                  {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The native half of treadle.testing.ManualExecutor.")},
      {Py_tp_methods, methods},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.ManualExecutor", 0, 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  const Ref bases = Ref::steal(PyTuple_Pack(1, executor_type.type()));
  const Ref type = bases ? Ref::steal(PyType_FromModuleAndSpec(module, &spec, bases.get())) : Ref();
  return type && PyModule_AddObjectRef(module, "ManualExecutor", type.get()) == 0;
}

}  // namespace treadle::python
