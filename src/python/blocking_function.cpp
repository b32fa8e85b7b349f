#include "python/blocking_function.hpp"

namespace treadle::python {

namespace {

// The Python function behind `fn`, borrowed; null if it is something else.
PyFunctionObject* function_behind(PyObject* fn) {
  PyObject* function = PyMethod_Check(fn) != 0 ? PyMethod_GET_FUNCTION(fn) : fn;
  return PyFunction_Check(function) != 0 ? reinterpret_cast<PyFunctionObject*>(function) : nullptr;
}

int flags_of(PyFunctionObject* function) {
  return reinterpret_cast<PyCodeObject*>(function->func_code)->co_flags;
}

}  // namespace

bool is_for_threads(PyObject* fn, const char* method) {
  PyFunctionObject* function = function_behind(fn);
  if (function == nullptr || (flags_of(function) & CO_COROUTINE) == 0) return true;
  PyErr_Format(PyExc_TypeError,
               "%s is for blocking functions, and %S is a coroutine function: await its call "
               "itself, without a thread",
               method, function->func_qualname);
  return false;
}

bool is_plainly_blocking(PyObject* fn) {
  if (PyCFunction_CheckExact(fn) != 0) return true;
  PyFunctionObject* function = function_behind(fn);
  constexpr int kOdd = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR;
  return function != nullptr && (flags_of(function) & kOdd) == 0;
}

}  // namespace treadle::python
