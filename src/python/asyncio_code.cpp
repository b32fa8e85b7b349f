#include "python/asyncio_code.hpp"

#include <algorithm>
#include <atomic>

#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// An attribute path of a module that is loaded already; none, and no error, when anything is
// missing.
Ref look_up(const char* module, std::initializer_list<const char*> path) {
  const Ref name = Ref::steal(PyUnicode_FromString(module));
  Ref at = name ? Ref::steal(PyImport_GetModule(name.get())) : Ref();
  for (const char* attribute : path) {
    if (at) at = Ref::steal(PyObject_GetAttrString(at.get(), attribute));
  }
  if (!at) PyErr_Clear();
  return at;
}

PyObject* name_of(PyObject* code) { return reinterpret_cast<PyCodeObject*>(code)->co_name; }

// A code object of the standard library, kept for ever once `find` has found it.
class Known {
 public:
  using Find = Ref (*)();
  explicit Known(Find find) : find_(find) {}

  // The code object, borrowed; null as long as there is none.
  PyObject* get() {
    PyObject* known = code_.load(std::memory_order_acquire);  // pairs with the exchange below
    if (known != nullptr) return known;
    Ref found = find_();
    if (!found) return nullptr;
    if (code_.compare_exchange_strong(known, found.get(), std::memory_order_acq_rel)) {
      known = found.release();
    }
    return known;
  }

  // Whether `candidate` is it; looks for it only once a code object of its `name` has come by.
  bool is(PyObject* candidate, PyObject* name) {
    PyObject* known = code_.load(std::memory_order_acquire);            // as above
    if (known == nullptr && name_of(candidate) == name) known = get();  // both are interned
    return candidate == known;
  }

 private:
  Find find_;
  std::atomic<PyObject*> code_{nullptr};
};

Ref find_run_in_executor() {
  return look_up("asyncio.base_events", {"BaseEventLoop", "run_in_executor", "__code__"});
}

// The code of the closure, which is a constant of the function that makes it.
Ref find_call_set_state() {
  const Ref constants = look_up("asyncio.futures", {"_chain_future", "__code__", "co_consts"});
  const Py_ssize_t count =
      constants && PyTuple_Check(constants.get()) ? PyTuple_GET_SIZE(constants.get()) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* constant = PyTuple_GET_ITEM(constants.get(), i);
    if (PyCode_Check(constant) && name_of(constant) == names.call_set_state) {
      return Ref::borrow(constant);
    }
  }
  return {};
}

Known run_in_executor(find_run_in_executor);
Known call_set_state(find_call_set_state);

// The local variables of a running function; one that it does not have is none, and no error.
class Locals {
 public:
#if PY_VERSION_HEX >= 0x030C0000
  explicit Locals(PyFrameObject* frame) : frame_(frame) {}
  [[nodiscard]] Ref get(PyObject* name) const {
    return without_error(Ref::steal(PyFrame_GetVar(frame_, name)));
  }

 private:
  PyFrameObject* frame_;
#else
  explicit Locals(PyFrameObject* frame)
      : locals_(without_error(Ref::steal(
#if PY_VERSION_HEX >= 0x030B0000
            PyFrame_GetLocals(frame)
#else
            PyObject_GetAttrString(reinterpret_cast<PyObject*>(frame), "f_locals")
#endif
                ))) {
  }
  [[nodiscard]] Ref get(PyObject* name) const {
    return locals_ ? without_error(Ref::steal(PyObject_GetItem(locals_.get(), name))) : Ref();
  }

 private:
  Ref locals_;
#endif
  static Ref without_error(Ref found) {
    if (!found) PyErr_Clear();
    return found;
  }
};

// The object in the closure's cell called `name`; none when there is no such cell, or it is empty.
Ref in_cell(PyObject* free_names, PyObject* closure, const char* name) {
  const Py_ssize_t count = std::min(PyTuple_GET_SIZE(free_names), PyTuple_GET_SIZE(closure));
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(free_names, i), name) == 0) {
      return Ref::steal(PyCell_Get(PyTuple_GET_ITEM(closure, i)));
    }
  }
  return {};
}

}  // namespace

std::atomic<bool> chaining_seen{false};

Ref find_loop_of_caller(PyObject* executor) {
  PyFrameObject* frame = PyEval_GetFrame();  // borrowed
  if (frame == nullptr) return {};
  const Ref code = Ref::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  if (!run_in_executor.is(code.get(), names.run_in_executor)) return {};
  const Locals locals(frame);
  // It may have called something compiled, which has no frame, and which has called `submit`.
  return locals.get(names.executor).get() == executor ? locals.get(names.self) : Ref();
}

bool chaining_completes_at_once() {
  static std::atomic<int> known{-1};  // relaxed: everybody comes to the same answer
  if (const int answer = known.load(std::memory_order_relaxed); answer >= 0) return answer != 0;
  PyObject* code = call_set_state.get();
  if (code == nullptr) return false;
  const Ref used = Ref::steal(PyObject_GetAttrString(code, "co_names"));
  const int asks = used ? PySequence_Contains(used.get(), names.get_running_loop) : -1;
  if (asks < 0) PyErr_Clear();
  known.store(asks > 0 ? 1 : 0, std::memory_order_relaxed);
  return asks > 0;
}

ChainedTo chained_to(PyObject* callback) {
  if (!PyFunction_Check(callback)) return {};
  if (!call_set_state.is(PyFunction_GetCode(callback), names.call_set_state)) return {};
  chaining_seen.store(true, std::memory_order_relaxed);
  PyObject* closure = PyFunction_GetClosure(callback);
  const Ref free_names =
      Ref::steal(PyObject_GetAttrString(PyFunction_GetCode(callback), "co_freevars"));
  if (!free_names || closure == nullptr) {
    PyErr_Clear();
    return {};
  }
  ChainedTo to{.loop = in_cell(free_names.get(), closure, "dest_loop"),
               .future = in_cell(free_names.get(), closure, "destination")};
  if (!to.loop || to.loop.get() == Py_None || !to.future) return {};
  return to;
}

}  // namespace treadle::python
