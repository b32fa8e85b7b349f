// Whether a tool has replaced `submit` on the standard library's class.
#pragma once

#include <atomic>

#include "python/stdlib.hpp"

namespace treadle::python {

// Tools (tracers) replace `submit` on the standard class; their replacement is meant for us, too.
// Any change to the class gives it a new version tag, so one comparison tells that it has not
// changed since the last look.
[[nodiscard]] inline bool standard_submit_replaced() {
  static std::atomic<unsigned int> unchanged{0};  // a hint: relaxed, nothing depends on its order
  auto* standard = reinterpret_cast<PyTypeObject*>(stdlib.executor);
  const unsigned int last = unchanged.load(std::memory_order_relaxed);
  if (standard->tp_version_tag == last && last != 0) return false;
  const Ref now = Ref::steal(PyObject_GetAttr(stdlib.executor, names.submit));
  if (!now) {
    PyErr_Clear();
    return false;
  }
  if (now.get() != stdlib.executor_submit) return true;
  unchanged.store(standard->tp_version_tag, std::memory_order_relaxed);
  return false;
}

}  // namespace treadle::python
