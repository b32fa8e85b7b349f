#include "python/waiting.hpp"

#include <algorithm>
#include <cmath>

#include "python/gil.hpp"

namespace treadle::python {

namespace {

unsigned long main_thread = 0;

// A signal that arrives after the last look at pending signals and before the sleep would be seen
// only when the sleep ends, so the main thread never sleeps longer than this at a time; much
// shorter where signals do not end a sleep.
Clock::duration longest_sleep() {
  using std::chrono::milliseconds;
  return kParkSeesSignals ? milliseconds(500) : milliseconds(50);
}

}  // namespace

void set_main_thread(unsigned long identity) { main_thread = identity; }
bool is_main_thread() { return PyThread_get_thread_ident() == main_thread; }

Waited wait_for_change(const ParkingWord& word, std::uint32_t expected, Deadline deadline) {
  if (deadline && Clock::now() >= *deadline) return Waited::kTimedOut;
  const bool handles_signals = is_main_thread();
  Deadline until = deadline;
  if (handles_signals) {
    const Clock::time_point slice = Clock::now() + longest_sleep();
    until = deadline ? std::min(*deadline, slice) : slice;
  }
  Parked parked;
  {
    const Detached detached;
    do {
      parked = park(word, expected, until);
    } while (parked == Parked::kInterrupted && !handles_signals);
  }
  if (handles_signals && PyErr_CheckSignals() < 0) return Waited::kError;
  // The slice may have ended, not the deadline.
  if (parked == Parked::kTimedOut && deadline && Clock::now() >= *deadline) {
    return Waited::kTimedOut;
  }
  return Waited::kLookAgain;
}

namespace {

// Has the standard library judge a timeout that is no ordinary number: its error differs from
// version to version.  False with that error set; true when it does not mind.
bool standard_accepts(PyObject* timeout) {
  const Ref threading = Ref::steal(PyImport_ImportModule("threading"));
  const Ref condition =
      threading ? Ref::steal(PyObject_CallMethod(threading.get(), "Condition", nullptr)) : Ref();
  const Ref taken =
      condition ? Ref::steal(PyObject_CallMethod(condition.get(), "acquire", nullptr)) : Ref();
  // `(O)`: a tuple must not be taken for a list of arguments.
  const Ref waited =
      taken ? Ref::steal(PyObject_CallMethod(condition.get(), "wait", "(O)", timeout)) : Ref();
  return static_cast<bool>(waited);
}

// The seconds that a number stands for, as a lock of this Python reads them; -1 with an error set.
double seconds_of(PyObject* timeout) {
  if (PyFloat_Check(timeout)) return PyFloat_AS_DOUBLE(timeout);
  const Ref index = Ref::steal(PyNumber_Index(timeout));
  if (index) return PyLong_AsDouble(index.get());
#if PY_VERSION_HEX >= 0x030F0000  // takes anything with __float__
  PyErr_Clear();
  return PyFloat_AsDouble(timeout);
#else
  return -1;
#endif
}

}  // namespace

bool parse_timeout(PyObject* timeout, Deadline& deadline) {
  deadline.reset();
  if (timeout == Py_None) return true;
  const Ref zero = Ref::steal(PyLong_FromLong(0));
  if (!zero) return false;
  const int positive = PyObject_RichCompareBool(timeout, zero.get(), Py_GT);
  const bool is_nan = PyFloat_Check(timeout) && std::isnan(PyFloat_AS_DOUBLE(timeout));
  if (positive < 0) PyErr_Clear();
  if ((positive < 0 || is_nan) && !standard_accepts(timeout)) return false;
  if (positive <= 0) {
    deadline = Clock::time_point::min();
    return true;
  }
  const double seconds = seconds_of(timeout);
  if (seconds == -1.0 && PyErr_Occurred() != nullptr) return false;
  const double longest = static_cast<double>(PY_TIMEOUT_MAX) / 1e6;
  if (seconds > longest) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
    return false;
  }
  // 292 years, the clock's range, are as good as for ever.
  if (seconds < 9e9) {
    deadline = Clock::now() +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  return true;
}

}  // namespace treadle::python
