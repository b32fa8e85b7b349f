// What a task is told besides its call, when it is submitted.
#pragma once

#include "python/pool.hpp"

namespace treadle::python {

// A call as `submit` gets it: the function, and `positional` arguments behind it.
struct Submission {
  PyObject* const* arguments;
  Py_ssize_t positional;
  PyObject* keyword_names;
};

struct Order {
  std::int64_t priority = 0;
  SettingsPtr settings;  // null: none
};

// Takes apart what a method that submits was given: `positional` arguments, of which the first may
// be a priority, where the pool takes any and the settings have none.  False with an error set.
[[nodiscard]] bool read_call(const char* method, const Pool& pool, PyObject* const* arguments,
                             Py_ssize_t positional, Submission& submission, Order& order);

// Gives a new future of the pool its options, if it needs any, and watches its time limits from
// now on.  False with an error set.
[[nodiscard]] bool give_options(Future& future, Pool& pool, Order order);

// Whether the calling thread runs a task whose limits those that it submits inherit.
extern std::atomic<bool> limits_in_use;  // relaxed: who sets it sees it
[[nodiscard]] bool find_limits_of_submitter();
[[nodiscard]] inline bool submitter_has_limits() {
  return limits_in_use.load(std::memory_order_relaxed) && find_limits_of_submitter();
}

}  // namespace treadle::python
