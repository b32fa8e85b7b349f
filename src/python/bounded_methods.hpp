// The methods of Executor that are about room in the queue; they work without a bound, too.
#pragma once

#include "python/order.hpp"

namespace treadle::python {

// _bound(max_pending, when_full): what __init__ calls for a bounded pool, before its first use.
[[nodiscard]] PyObject* set_bound(PyObject* self, PyObject* args);
// As `submit`: whatever tools have done to the standard class, or not.
[[nodiscard]] PyObject* try_submit(PyObject* self, PyObject* const* arguments,
                                   Py_ssize_t positional, PyObject* keyword_names);
[[nodiscard]] PyObject* try_submit_native(PyObject* self, PyObject* const* arguments,
                                          Py_ssize_t positional, PyObject* keyword_names);
[[nodiscard]] PyObject* submit_was_replaced(PyObject*, PyObject*);
// _submit_in_time(timeout, fn, ...): waits for room whatever the policy is; None when the time is
// up.
[[nodiscard]] PyObject* submit_in_time(PyObject* self, PyObject* const* arguments,
                                       Py_ssize_t positional, PyObject* keyword_names);
// _ask_for_place(): see room.hpp; (None, None) where there is no bound.
[[nodiscard]] PyObject* ask_for_place_method(PyObject* self, PyObject*);

// The same for what comes to the pool by way of a view with these settings, or none.
[[nodiscard]] PyObject* try_submit_to(Pool& pool, SettingsPtr settings, PyObject* const* arguments,
                                      Py_ssize_t positional, PyObject* keyword_names);
[[nodiscard]] PyObject* submit_in_time_to(Pool& pool, SettingsPtr settings,
                                          PyObject* const* arguments, Py_ssize_t positional,
                                          PyObject* keyword_names);
[[nodiscard]] PyObject* ask_for_place_of(Pool& pool, SettingsPtr settings);

}  // namespace treadle::python
