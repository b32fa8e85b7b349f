// Daemon threads at the end of the interpreter.
#pragma once

#include <chrono>
#include <thread>

namespace treadle::python {

// Does what may attach the thread, or is Python code, which does so all the time.  A daemon thread
// never comes back from there once the interpreter ends: newer versions of Python let it hang,
// older ones end the thread by unwinding its stack, which would run destructors detached and stop
// at the first that may not throw, with the process.  So it hangs here as well, which nobody minds:
// the process is about to end.  Where nothing is thrown it costs no instruction.
template <class Work>
[[gnu::always_inline]] inline auto unless_exiting(Work work) noexcept {
  try {
    return work();
  } catch (...) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

}  // namespace treadle::python
