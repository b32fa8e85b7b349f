// Python.h, an owning reference, and the few calls whose name differs from version to version.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <utility>

#include "python/unless_exiting.hpp"

namespace treadle::python {

// Owns one reference, or none.  Must be created, moved and destroyed attached.
class Ref {
 public:
  Ref() = default;
  static Ref steal(PyObject* object) { return Ref(object); }
  static Ref borrow(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    // The old object goes last: its finalizer may look at this reference.
    PyObject* old = std::exchange(object_, std::exchange(other.object_, nullptr));
    unless_exiting([old] { Py_XDECREF(old); });
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() {
    unless_exiting([this] { Py_XDECREF(object_); });
  }

  [[nodiscard]] PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit Ref(PyObject* object) : object_(object) {}
  PyObject* object_ = nullptr;
};

// Takes the exception that is set, with its traceback; there must be one.
inline Ref take_raised() {
#if PY_VERSION_HEX >= 0x030C0000
  return Ref::steal(PyErr_GetRaisedException());
#else
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Ref::steal(value);
#endif
}

// Raises `exception` as `raise exception` does: the same object, its context chained; a class is
// called, and what cannot be raised is a TypeError.
inline void raise_object(PyObject* exception) {
  if (PyExceptionInstance_Check(exception)) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
  } else if (PyExceptionClass_Check(exception)) {
    PyErr_SetNone(exception);
  } else {
    PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
  }
}

// Keeps the exception that is set, if any, over code that may set or clear another.
class SavedError {
 public:
  SavedError() {
    if (PyErr_Occurred() != nullptr) exception_ = take_raised();
  }
  ~SavedError() {
    if (exception_) {
      PyErr_Clear();
#if PY_VERSION_HEX >= 0x030C0000
      PyErr_SetRaisedException(exception_.release());
#else
      PyObject* value = exception_.release();
      PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(value))), value,
                    PyException_GetTraceback(value));
#endif
    }
  }
  SavedError(const SavedError&) = delete;
  SavedError& operator=(const SavedError&) = delete;

 private:
  Ref exception_;
};

inline void* function_slot(auto* function) { return reinterpret_cast<void*>(function); }

// A method table entry for any calling convention.
inline PyCFunction as_method(auto* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace treadle::python
