#include "python/running_calls.hpp"

#include <algorithm>

#include "python/stdlib.hpp"

namespace treadle::python {

void RunningCalls::time_from(Clock::time_point now) {
  const ObjectLock lock(mutex_);
  timed_.store(true, std::memory_order_relaxed);
  for (Scope* at = innermost_.load(std::memory_order_acquire); at != nullptr; at = at->outer_) {
    if (at->since_.load(std::memory_order_relaxed) == 0) at->stamp(now);
    now -= Clock::duration(1);  // the outer ones began before: no two have the same instant
  }
}

void RunningCalls::find(std::vector<Found>& found) {
  const std::size_t before = found.size();
  const ObjectLock lock(mutex_);
  for (Scope* at = innermost_.load(std::memory_order_acquire); at != nullptr; at = at->outer_) {
    found.push_back({Ref::borrow(at->function_), at->since_.load(std::memory_order_relaxed)});
  }
  std::reverse(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
}

Ref name_of_call(PyObject* callable) {
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(callable));
  for (PyObject* object : {callable, type}) {
    Ref name = Ref::steal(PyObject_GetAttr(object, names.qualname));
    if (name && PyUnicode_Check(name.get())) return name;
    PyErr_Clear();
  }
  return Ref::steal(PyUnicode_FromString(Py_TYPE(callable)->tp_name));
}

}  // namespace treadle::python
