// Heap types whose base is a Python class: C++ data behind the base's own layout.
//
// The base (`concurrent.futures.Future`, `ThreadPoolExecutor`) has a layout that differs from
// version to version, so the data's offset is computed when the type is made.  The base's slots
// for garbage collection cannot be called from here (they look at the object's most derived type
// and come back to us), so these helpers do their part: dictionary and weak references.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

#include "python/python_api.hpp"

namespace treadle::python {

inline int visit_dictionary(PyObject* self, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x030D0000
  return PyObject_VisitManagedDict(self, visit, arg);
#elif PY_VERSION_HEX >= 0x030C0000
  return _PyObject_VisitManagedDict(self, visit, arg);
#else
  PyObject** dictionary = _PyObject_GetDictPtr(self);
  if (dictionary != nullptr) Py_VISIT(*dictionary);
  return 0;
#endif
}

inline void clear_dictionary(PyObject* self) {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject_ClearManagedDict(self);
#elif PY_VERSION_HEX >= 0x030C0000
  _PyObject_ClearManagedDict(self);
#else
  PyObject** dictionary = _PyObject_GetDictPtr(self);
  if (dictionary != nullptr) Py_CLEAR(*dictionary);
#endif
}

// The type of objects that carry a `Data` behind `base`'s layout.
template <class Data>
class HeapType {
 public:
  // Makes the type: `slots` come without base and module.  False with an error set.
  [[nodiscard]] bool make(PyObject* module, const char* name, PyType_Slot* slots, PyObject* base) {
    const auto size = reinterpret_cast<PyTypeObject*>(base)->tp_basicsize;
    constexpr auto kAlign = static_cast<Py_ssize_t>(alignof(Data));
    offset_ = (size + kAlign - 1) / kAlign * kAlign;
    PyType_Spec spec{name, static_cast<int>(offset_ + static_cast<Py_ssize_t>(sizeof(Data))), 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
    const Ref bases = Ref::steal(PyTuple_Pack(1, base));
    if (!bases) return false;
    type_ = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, bases.get()));
    return type_ != nullptr;
  }

  [[nodiscard]] PyTypeObject* type() const { return type_; }
  [[nodiscard]] bool is_instance(PyObject* object) const {
    return PyObject_TypeCheck(object, type_) != 0;
  }

  [[nodiscard]] Data& data(PyObject* self) const {
    return *std::launder(reinterpret_cast<Data*>(reinterpret_cast<char*>(self) + offset_));
  }
  [[nodiscard]] PyObject* object(Data& data) const {
    return reinterpret_cast<PyObject*>(reinterpret_cast<char*>(&data) - offset_);
  }

  // An object of `type` (this type or a subclass) with fresh data; null with an error set.
  [[nodiscard]] PyObject* allocate(PyTypeObject* type) const {
    // Not through `object.__new__`: on 3.11 and 3.12 it would prepare inline values, which the
    // garbage collector's visit then turns into a dictionary.
    PyObject* self = type->tp_alloc(type, 0);
    if (self != nullptr) new (reinterpret_cast<char*>(self) + offset_) Data();
    return self;
  }

  // The body of the tp_dealloc function `own`: `clear` drops what the data refers to.
  template <class Clear>
  void deallocate(PyObject* self, [[maybe_unused]] destructor own, Clear clear) const {
    PyTypeObject* type = Py_TYPE(self);
    if (type->tp_finalize != nullptr && PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, own)  // chains of futures are released without deep recursion
        if (type->tp_weaklistoffset != 0) PyObject_ClearWeakRefs(self);
    clear(self);
    clear_dictionary(self);
    data(self).~Data();
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
  }

 private:
  PyTypeObject* type_ = nullptr;
  Py_ssize_t offset_ = 0;
};

}  // namespace treadle::python
