// A look at every call that pools make, for `python -m treadle --report`.
//
// Thread safety: any attached thread.
// Invariants:
//  1. Only pools that are made once somebody has asked for reports make any: they measure
//  durations,
//     with `histograms` or without.
//  2. The receiver sees a call when it has ended and before its outcome is visible; what it raises
//     goes to sys.unraisablehook.
#pragma once

#include "core/statistics.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

[[nodiscard]] bool reports_calls();

// Tells of a call that ends now; `first` is its first argument, or null.  No error is set.
void report_call(PyObject* fn, PyObject* first, Moment submission, Moment started);

[[nodiscard]] bool make_call_report(PyObject* module);

}  // namespace treadle::python
