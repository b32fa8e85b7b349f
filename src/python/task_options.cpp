#include "python/task_options.hpp"

namespace treadle::python {

bool read_priority(PyObject* object, std::int64_t& priority) {
  if (PyBool_Check(object) != 0 || PyIndex_Check(object) == 0) {
    PyErr_Format(PyExc_TypeError, "a priority must be an int, not %R", object);
    return false;
  }
  const Ref number = Ref::steal(PyNumber_Index(object));
  if (!number) return false;
  int overflow = 0;
  priority = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
  if (overflow == 0) return priority != -1 || PyErr_Occurred() == nullptr;
  constexpr const char* kAllowed = "a priority must be from -2**63 to 2**63 - 1";
  const Ref shown = Ref::steal(PyObject_Repr(object));
  if (shown || PyErr_ExceptionMatches(PyExc_ValueError) == 0) {
    if (shown) PyErr_Format(PyExc_ValueError, "%s, not %U", kAllowed, shown.get());
    return false;
  }
  PyErr_Format(PyExc_ValueError, "%s, not an int with too many digits to show", kAllowed);
  return false;
}

}  // namespace treadle::python
