// The six private attributes of a future that the standard library and its users reach for.
//
// They are data descriptors on the native state: reading shows it as it is, writing changes it, and
// neither leaves anything in the instance's dictionary.  The dictionary itself stands here too: who
// gets hold of it may make cycles (invariant 5 of future.hpp).

#include "python/future.hpp"
#include "python/helping.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

struct FutureAttributes {
  static PyObject* get_state(PyObject* self, void*) {
    return Py_NewRef(stdlib.state_names[static_cast<std::size_t>(Future::of(self).state())]);
  }

  static int set_state(PyObject* self, PyObject* value, void*) {
    for (std::size_t i = 0; i < stdlib.state_names.size(); ++i) {
      const int same =
          value == nullptr ? 0 : PyObject_RichCompareBool(value, stdlib.state_names[i], Py_EQ);
      if (same < 0) return -1;
      if (same == 0) continue;
      Future::of(self).write_state(static_cast<State>(i));
      return 0;
    }
    PyErr_Format(PyExc_ValueError,
                 "a future's _state is one of the constants of "
                 "concurrent.futures._base, not %R",
                 value == nullptr ? Py_None : value);
    return -1;
  }

  template <std::size_t kSlot>
  static PyObject* get_stored(PyObject* self, void*) {
    return stored_or_none(Future::of(self), kSlot);
  }

  template <std::size_t kSlot>
  static int set_stored(PyObject* self, PyObject* value, void*) {
    Future& future = Future::of(self);
    PyObject* old = nullptr;
    {
      const ObjectLock lock(future.mutex_);
      // A call waits there to be made; its outcome would replace what is written now.
      if (future.shape_ != CallShape::kEmpty) return 0;
      future.track_locked();
      old = std::exchange(future.slots_[kSlot], value == Py_None ? nullptr : Py_XNewRef(value));
    }
    Py_XDECREF(old);
    return 0;
  }

  template <PyObject* Attachments::* kList>
  static PyObject* get_list(PyObject* self, void*) {
    Future& future = Future::of(self);
    if constexpr (kList == &Attachments::waiters) expect_wait(future);
    {
      const ObjectLock lock(future.mutex_);
      if (future.attachments_ != nullptr && future.attachments_->*kList != nullptr) {
        return Py_NewRef(future.attachments_->*kList);
      }
    }
    Ref made = Ref::steal(PyList_New(0));
    if (!made) return nullptr;
    const ObjectLock lock(future.mutex_);
    PyObject*& list = future.attachments_locked().*kList;
    if (list == nullptr) list = made.release();
    return Py_NewRef(list);
  }

  template <PyObject* Attachments::* kList>
  static int set_list(PyObject* self, PyObject* value, void*) {
    if (value == nullptr || !PyList_Check(value)) {
      PyErr_SetString(PyExc_TypeError, "a future's lists of callbacks and waiters are lists");
      return -1;
    }
    Future& future = Future::of(self);
    PyObject* old = nullptr;
    {
      const ObjectLock lock(future.mutex_);
      old = std::exchange(future.attachments_locked().*kList, Py_NewRef(value));
    }
    Py_XDECREF(old);
    return 0;
  }

  static PyObject* get_condition(PyObject* self, void*) { return Future::of(self).condition(); }

  static PyObject* get_dictionary(PyObject* self, void*) {
    Future::of(self).track();
    return PyObject_GenericGetDict(self, nullptr);
  }

  // The condition guards the native state, so it stays the one it is: an explicit call of the
  // standard `Future.__init__` must not replace it.
  static int set_condition(PyObject*, PyObject*, void*) { return 0; }

 private:
  static PyObject* stored_or_none(Future& future, std::size_t slot) {
    PyObject* object = future.stored(slot);
    return object != nullptr ? object : Py_NewRef(Py_None);
  }
};

PyGetSetDef* Future::private_attributes() {
  using Slots = FutureAttributes;
  static PyGetSetDef attributes[] = {
      {"_state", Slots::get_state, Slots::set_state, nullptr, nullptr},
      {"_result", Slots::get_stored<0>, Slots::set_stored<0>, nullptr, nullptr},
      {"_exception", Slots::get_stored<1>, Slots::set_stored<1>, nullptr, nullptr},
      {"_waiters", Slots::get_list<&Attachments::waiters>, Slots::set_list<&Attachments::waiters>,
       nullptr, nullptr},
      {"_done_callbacks", Slots::get_list<&Attachments::callbacks>,
       Slots::set_list<&Attachments::callbacks>, nullptr, nullptr},
      {"_condition", Slots::get_condition, Slots::set_condition, nullptr, nullptr},
      {"__dict__", Slots::get_dictionary, PyObject_GenericSetDict, nullptr, nullptr},
      {}};
  return attributes;
}

}  // namespace treadle::python
