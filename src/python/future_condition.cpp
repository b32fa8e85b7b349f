#include "python/future_condition.hpp"

#include <new>

#include "python/waiting.hpp"

namespace treadle::python {

namespace {

PyTypeObject* condition_type = nullptr;
PyObject* deque_type = nullptr;
PyObject* standard_notify = nullptr;  // threading.Condition.notify

FutureCondition& condition_of(PyObject* self) { return *reinterpret_cast<FutureCondition*>(self); }

}  // namespace

PyObject* FutureCondition::make(const ParkingWord* future_word) {
  PyObject* self = condition_type->tp_alloc(condition_type, 0);
  if (self == nullptr) return nullptr;
  FutureCondition& condition = condition_of(self);
  new (&condition.owner_) std::atomic<unsigned long>(0);
  new (&condition.word_) ParkingWord(0);
  condition.count_ = 0;
  condition.future_word_ = future_word;
  condition.waiters_ = nullptr;  // made by the first `wait`
  return self;
}

bool FutureCondition::owned() const {
  return owner_.load(std::memory_order_relaxed) == PyThread_get_thread_ident();  // invariant 1
}

bool FutureCondition::acquire(Deadline deadline) {
  if (owned()) {
    ++count_;
    return true;
  }
  std::uint32_t free = 0;
  // Acquire pairs with the release of the last owner.
  if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
    while (word_.exchange(2, std::memory_order_acquire) != 0) {
      if (deadline && Clock::now() >= *deadline) return false;
      if (wait_for_change(word_, 2, deadline) != Waited::kError) continue;
      unpark_one(&word_);  // the wake-up that we may have taken is for the next in line now
      return false;
    }
  }
  owner_.store(PyThread_get_thread_ident(), std::memory_order_relaxed);
  count_ = 1;
  return true;
}

void FutureCondition::release() {
  if (--count_ != 0) return;
  owner_.store(0, std::memory_order_relaxed);
  if (word_.exchange(0, std::memory_order_release) == 2) unpark_one(&word_);
}

Py_ssize_t FutureCondition::release_save() {
  const Py_ssize_t count = std::exchange(count_, 1);
  release();
  return count;
}

bool FutureCondition::acquire_restore(Py_ssize_t count) {
  // As the standard library: a signal's exception must not leave the caller without the lock it
  // is about to release, so it waits on and is raised afterwards.
  Ref interrupted;
  while (!acquire()) interrupted = take_raised();
  count_ = count;
  if (!interrupted) return true;
  raise_object(interrupted.get());
  return false;
}

bool FutureCondition::notify(Py_ssize_t count) {
  unpark_all(future_word_);
  return notify_waiters(count);
}

bool FutureCondition::notify_waiters(Py_ssize_t count) {
  if (waiters_ == nullptr || PyObject_Size(waiters_) == 0) return true;
  const Ref done = Ref::steal(
      PyObject_CallFunction(standard_notify, "On", reinterpret_cast<PyObject*>(this), count));
  return static_cast<bool>(done);
}

// The Python face: argument parsing around the methods above.
struct FutureConditionSlots {
  static PyObject* acquire(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                           PyObject* keyword_names) {
    // As the standard `wait` calls it, twice for each future: not worth a tuple and a parser.
    if (positional == 0 && keyword_names == nullptr) return enter(self, nullptr);
    int blocking = 1;
    double timeout = -1;
    if (!parse_acquire(arguments, positional, keyword_names, blocking, timeout)) return nullptr;
    if (timeout != -1 && (blocking == 0 || !(timeout >= 0))) {
      PyErr_SetString(PyExc_ValueError, blocking == 0
                                            ? "can't specify a timeout for a non-blocking call"
                                            : "timeout value must be a non-negative number");
      return nullptr;
    }
    Deadline deadline;
    if (blocking == 0) {
      deadline = Clock::time_point::min();
    } else if (timeout >= 0) {
      const Ref seconds = Ref::steal(PyFloat_FromDouble(timeout));
      if (!seconds || !parse_timeout(seconds.get(), deadline)) return nullptr;
    }
    if (condition_of(self).acquire(deadline)) Py_RETURN_TRUE;
    if (PyErr_Occurred() != nullptr) return nullptr;
    Py_RETURN_FALSE;
  }

  static bool parse_acquire(PyObject* const* arguments, Py_ssize_t positional,
                            PyObject* keyword_names, int& blocking, double& timeout) {
    const Ref args = Ref::steal(PyTuple_New(positional));
    const Ref kwargs = Ref::steal(PyDict_New());
    if (!args || !kwargs) return false;
    for (Py_ssize_t i = 0; i < positional; ++i) {
      PyTuple_SET_ITEM(args.get(), i, Py_NewRef(arguments[i]));
    }
    const Py_ssize_t named = keyword_names == nullptr ? 0 : PyTuple_GET_SIZE(keyword_names);
    for (Py_ssize_t i = 0; i < named; ++i) {
      PyObject* name = PyTuple_GET_ITEM(keyword_names, i);
      if (PyDict_SetItem(kwargs.get(), name, arguments[positional + i]) < 0) return false;
    }
    static const char* const keywords[] = {"blocking", "timeout", nullptr};
    return PyArg_ParseTupleAndKeywords(args.get(), kwargs.get(), "|pd:acquire",
                                       const_cast<char**>(keywords), &blocking, &timeout) != 0;
  }

  static PyObject* enter(PyObject* self, PyObject*) {
    if (!condition_of(self).acquire()) return nullptr;
    Py_RETURN_TRUE;
  }

  static bool require_owned(PyObject* self, const char* what) {
    if (condition_of(self).owned()) return true;
    PyErr_Format(PyExc_RuntimeError, "cannot %s un-acquired lock", what);
    return false;
  }

  static PyObject* release(PyObject* self, PyObject*) {
    if (!require_owned(self, "release")) return nullptr;
    condition_of(self).release();
    Py_RETURN_NONE;
  }

  static PyObject* exit(PyObject* self, PyObject* const*, Py_ssize_t) {
    return release(self, nullptr);
  }

  static PyObject* is_owned(PyObject* self, PyObject*) {
    return PyBool_FromLong(condition_of(self).owned());
  }

  static PyObject* release_save(PyObject* self, PyObject*) {
    if (!require_owned(self, "release")) return nullptr;
    return PyLong_FromSsize_t(condition_of(self).release_save());
  }

  static PyObject* acquire_restore(PyObject* self, PyObject* count) {
    const Py_ssize_t times = PyLong_AsSsize_t(count);
    if (times == -1 && PyErr_Occurred() != nullptr) return nullptr;
    if (!condition_of(self).acquire_restore(times)) return nullptr;
    Py_RETURN_NONE;
  }

  static PyObject* notify(PyObject* self, PyObject* args) {
    Py_ssize_t count = 1;
    if (PyArg_ParseTuple(args, "|n:notify", &count) == 0) return nullptr;
    if (!require_owned(self, "notify on")) return nullptr;
    if (!condition_of(self).notify(count)) return nullptr;
    Py_RETURN_NONE;
  }

  static PyObject* notify_all(PyObject* self, PyObject*) {
    if (!require_owned(self, "notify on")) return nullptr;
    if (!condition_of(self).notify(PY_SSIZE_T_MAX)) return nullptr;
    Py_RETURN_NONE;
  }

  static PyObject* waiters(PyObject* self, void*) {
    PyObject*& waiters = condition_of(self).waiters_;
    if (waiters == nullptr) {
      Ref made = Ref::steal(PyObject_CallNoArgs(deque_type));
      if (!made) return nullptr;
      if (waiters == nullptr) waiters = made.release();
    }
    return Py_NewRef(waiters);
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Py_XDECREF(condition_of(self).waiters_);
    type->tp_free(self);
    Py_DECREF(type);
  }
};

bool FutureCondition::make_type(PyObject* module) {
  using Slots = FutureConditionSlots;
  static PyMethodDef methods[] = {
      {"acquire", as_method(&Slots::acquire), METH_FASTCALL | METH_KEYWORDS,
       "acquire($self, /, blocking=True, timeout=-1)\n--\n\nTake the lock; re-entrant."},
      {"release", Slots::release, METH_NOARGS, "release($self, /)\n--\n\nGive the lock up once."},
      {"__enter__", Slots::enter, METH_NOARGS, nullptr},
      {"__exit__", as_method(&Slots::exit), METH_FASTCALL, nullptr},
      {"notify", Slots::notify, METH_VARARGS,
       "notify($self, n=1, /)\n--\n\nWake up to n waiters, and threads that wait for the future."},
      {"notify_all", Slots::notify_all, METH_NOARGS,
       "notify_all($self, /)\n--\n\nWake all waiters, and threads that wait for the future."},
      {"_is_owned", Slots::is_owned, METH_NOARGS, nullptr},
      {"_release_save", Slots::release_save, METH_NOARGS, nullptr},
      {"_acquire_restore", Slots::acquire_restore, METH_O, nullptr},
      {}};
  static PyGetSetDef attributes[] = {{"_waiters", Slots::waiters, nullptr, nullptr, nullptr}, {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The lock and condition variable of one future.")},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.FutureCondition", sizeof(FutureCondition), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  condition_type =
      reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  if (condition_type == nullptr) return false;
  // `wait` and `wait_for` are the standard library's: they need only what is defined above.
  const Ref threading = Ref::steal(PyImport_ImportModule("threading"));
  const Ref standard =
      threading ? Ref::steal(PyObject_GetAttrString(threading.get(), "Condition")) : Ref();
  if (!standard) return false;
  auto* type = reinterpret_cast<PyObject*>(condition_type);
  for (const char* name : {"wait", "wait_for"}) {
    const Ref method = Ref::steal(PyObject_GetAttrString(standard.get(), name));
    if (!method || PyObject_SetAttrString(type, name, method.get()) < 0) return false;
  }
  standard_notify = PyObject_GetAttrString(standard.get(), "notify");
  const Ref collections = Ref::steal(PyImport_ImportModule("collections"));
  deque_type = collections ? PyObject_GetAttrString(collections.get(), "deque") : nullptr;
  return standard_notify != nullptr && deque_type != nullptr &&
         PyModule_AddObjectRef(module, "FutureCondition", type) == 0;
}

}  // namespace treadle::python
