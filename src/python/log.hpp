// Records on the logger of concurrent.futures, with the standard library's texts.
#pragma once

#include "python/stdlib.hpp"

namespace treadle::python {

// Calls `logger.<level>(message, argument, exc_info=exception)`; `argument` and `exception` may be
// null.  An error in logging itself goes to sys.unraisablehook: nobody else could take it.
inline void log(const char* level, const char* message, PyObject* argument, PyObject* exception) {
  const Ref method = Ref::steal(PyObject_GetAttrString(stdlib.logger, level));
  const Ref args = Ref::steal(argument != nullptr ? Py_BuildValue("(sO)", message, argument)
                                                  : Py_BuildValue("(s)", message));
  const Ref kwargs = Ref::steal(exception != nullptr ? Py_BuildValue("{s:O}", "exc_info", exception)
                                                     : PyDict_New());
  if (method && args && kwargs) {
    const Ref logged = Ref::steal(PyObject_Call(method.get(), args.get(), kwargs.get()));
    if (logged) return;
  }
  PyErr_WriteUnraisable(stdlib.logger);
}

}  // namespace treadle::python
