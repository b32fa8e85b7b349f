// Many calls of one function, gathered from iterables before any of them is queued.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

// The calls `fn(*items)` for zip(*iterables), each a vectorcall array [fn, item…].
class Batch {
 public:
  // False with an error set.
  [[nodiscard]] bool gather(PyObject* iterables) {
    arity_ = PyTuple_GET_SIZE(iterables);
    if (arity_ == 1) {
      items_ = Ref::steal(PySequence_List(PyTuple_GET_ITEM(iterables, 0)));
    } else {
      const Ref zipped =
          Ref::steal(PyObject_CallObject(reinterpret_cast<PyObject*>(&PyZip_Type), iterables));
      items_ = zipped ? Ref::steal(PySequence_List(zipped.get())) : Ref();
    }
    return static_cast<bool>(items_);
  }

  // Whether going through the iterables runs no user code, so that nobody can tell when it happens.
  [[nodiscard]] static bool is_plain(PyObject* iterables) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(iterables); ++i) {
      PyTypeObject* type = Py_TYPE(PyTuple_GET_ITEM(iterables, i));
      const bool plain = type == &PyList_Type || type == &PyTuple_Type || type == &PyRange_Type ||
                         type == &PyDict_Type || type == &PySet_Type || type == &PyFrozenSet_Type ||
                         type == &PyUnicode_Type || type == &PyBytes_Type ||
                         type == &PyByteArray_Type;
      if (!plain) return false;
    }
    return true;
  }

  [[nodiscard]] Py_ssize_t arity() const { return arity_; }
  [[nodiscard]] Py_ssize_t size() const { return PyList_GET_SIZE(items_.get()); }
  // The arguments of one call, borrowed.
  [[nodiscard]] PyObject* const* arguments(Py_ssize_t i) const {
    PyObject** item = &reinterpret_cast<PyListObject*>(items_.get())->ob_item[i];
    return arity_ == 1 ? item : &reinterpret_cast<PyTupleObject*>(*item)->ob_item[0];
  }

 private:
  Py_ssize_t arity_ = 0;
  Ref items_;
};

}  // namespace treadle::python
