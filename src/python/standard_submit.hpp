// Whether a tool has replaced `submit` on the standard library's class.
#pragma once

#include <atomic>

#include "python/stdlib.hpp"

namespace treadle::python {

// The version of that class when its `submit` was last seen to be the original one.
extern std::atomic<unsigned int>
    unchanged_standard_class;  // a hint: relaxed, nothing depends on it
[[nodiscard]] bool look_for_standard_submit();

// Tools (tracers) replace `submit` on the standard class; their replacement is meant for us, too.
// Any change to the class gives it a new version tag, so one comparison tells that it has not
// changed since the last look.
[[nodiscard]] inline bool standard_submit_replaced() {
  const unsigned int last = unchanged_standard_class.load(std::memory_order_relaxed);
  const unsigned int now = reinterpret_cast<PyTypeObject*>(stdlib.executor)->tp_version_tag;
  if (now == last && last != 0) [[likely]]
    return false;
  return look_for_standard_submit();
}

}  // namespace treadle::python
