// Sleeping as an attached thread: detached while asleep, awake for signals.
#pragma once

#include "core/parking_spot.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

enum class Waited : std::uint8_t {
  kLookAgain,  // the word may have changed
  kTimedOut,
  kError,  // a signal handler raised; the error is set
};

// Sleeps while `word` holds `expected`, until the deadline.  In the main thread a signal ends the
// sleep at once and its handler runs here.
[[nodiscard]] Waited wait_for_change(const ParkingWord& word, std::uint32_t expected,
                                     Deadline deadline);

// Reads a timeout in seconds as `threading` does: None is for ever, zero or less has passed
// already.  False with the standard library's error set.
[[nodiscard]] bool parse_timeout(PyObject* timeout, Deadline& deadline);

// The thread that runs signal handlers.
void set_main_thread(unsigned long identity);
[[nodiscard]] bool is_main_thread();

}  // namespace treadle::python
