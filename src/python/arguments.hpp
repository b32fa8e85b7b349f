// Reading the arguments of METH_FASTCALL | METH_KEYWORDS functions, with Python's own error texts.
#pragma once

#include <string_view>

#include "python/python_api.hpp"

namespace treadle::python {

// Reads one argument that may come by position or as `keyword`; `value` keeps what it is when the
// argument is absent.  False with TypeError set.
inline bool read_optional(const char* function, const char* keyword, PyObject* const* arguments,
                          Py_ssize_t positional, PyObject* keyword_names, PyObject*& value) {
  if (positional > 1) {
    PyErr_Format(PyExc_TypeError, "%s() takes %s2 positional arguments but %zd were given",
                 function, value != nullptr ? "from 1 to " : "", positional + 1);
    return false;
  }
  if (positional == 1) value = arguments[0];
  const Py_ssize_t keywords = keyword_names == nullptr ? 0 : PyTuple_GET_SIZE(keyword_names);
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    PyObject* name = PyTuple_GET_ITEM(keyword_names, i);
    if (PyUnicode_CompareWithASCIIString(name, keyword) != 0) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
      return false;
    }
    if (positional == 1) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", function,
                   keyword);
      return false;
    }
    value = arguments[positional + i];
  }
  return true;
}

// The same for an argument that must be there; null with TypeError set.
inline PyObject* read_required(const char* function, const char* keyword,
                               PyObject* const* arguments, Py_ssize_t positional,
                               PyObject* keyword_names) {
  PyObject* value = nullptr;
  if (!read_optional(function, keyword, arguments, positional, keyword_names, value))
    return nullptr;
  if (value == nullptr) {
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", function,
                 keyword);
  }
  return value;
}

}  // namespace treadle::python
