#include "python/merging.hpp"

#ifdef Py_GIL_DISABLED

namespace treadle::python {

namespace {

PyObject* evaluated_function = nullptr;

}  // namespace

bool make_evaluated_function() {
  const Ref globals = Ref::steal(PyDict_New());
  evaluated_function =
      globals ? PyRun_String("lambda: None", Py_eval_input, globals.get(), globals.get()) : nullptr;
  return evaluated_function != nullptr;
}

void evaluate_something() {
  const Ref nothing = Ref::steal(PyObject_CallNoArgs(evaluated_function));
  if (!nothing) PyErr_Clear();  // an exception that another thread has sent, to a task that is over
}

}  // namespace treadle::python

#endif
