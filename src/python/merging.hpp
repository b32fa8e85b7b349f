// What a free-threaded build asks of a thread now and then: that it evaluates Python code.
//
// An object that others have let go of last is freed by the thread that made it, between two of
// its bytecodes (CPython's biased reference counts).  A worker that calls one C function after the
// other has none: what it has returned would never be freed.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

#ifdef Py_GIL_DISABLED

[[nodiscard]] bool make_evaluated_function();
void evaluate_something();

// To be called once a task, attached.
inline void merge_references(const PyThreadState* thread) {
  constexpr std::uintptr_t kExplicitMerge = 1U << 6;  // the same from 3.13 to 3.15
  const std::uintptr_t requests =
      __atomic_load_n(&thread->eval_breaker, __ATOMIC_RELAXED);  // seen at one of the next tasks
  if ((requests & kExplicitMerge) != 0) [[unlikely]]
    evaluate_something();
}

#else

[[nodiscard]] inline bool make_evaluated_function() { return true; }
inline void merge_references(const PyThreadState*) {}

#endif

}  // namespace treadle::python
