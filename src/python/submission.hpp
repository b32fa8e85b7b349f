// How a call becomes a queued future: the ways to submit one.
//
// Thread safety: any attached thread.
// Invariant: a future that is returned is queued, or done; where none is, nothing was queued.
#pragma once

#include "python/executor.hpp"
#include "python/order.hpp"
#include "python/standard_submit.hpp"

namespace treadle::python {

// ---- in two steps

// A future with its call, for the queue, from a vectorcall array that begins with the callable: a
// new reference, or null with an error set.  `submission` is the pool's time, if it measures.
[[nodiscard]] PyObject* make_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                                  PyObject* keyword_names, Moment submission);
// The same, as a task of the family of the one that the calling thread runs, if it runs one.
[[nodiscard]] PyObject* make_own_task(Pool& pool, PyObject* const* arguments, Py_ssize_t positional,
                                      PyObject* keyword_names, Moment submission);
// The same with what the order says, and with the deadline of the task that the thread runs.
[[nodiscard]] Ref make_ordered_task(Pool& pool, const Submission& submission, Order order);
// Queues a new task, whose reference is taken: a new one, or null with an error set.
[[nodiscard]] PyObject* push_to_queue(Pool* pool, PyObject* task);
// For tasks that were queued in another way, and that the caller holds.
void watch_queued(PyObject* task);

// ---- at once: a new reference to a future, or null with an error set

[[nodiscard]] PyObject* submit_ordered(PyObject* executor, const Submission& submission,
                                       Order order);
// For asyncio's `run_in_executor`: the loop's own future, with the task behind it.
[[nodiscard]] PyObject* submit_for_loop(PyObject* executor, PyObject* loop,
                                        const Submission& submission, Order order);
// The way through what a tool has put in the place of the standard class's `submit`.
[[nodiscard]] PyObject* submit_by_standard(PyObject* executor, const Submission& submission);

// ---- methods, in vectorcall form

PyObject* submit_method(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names);
// submit, whatever tools have done to the standard class.
PyObject* submit_native(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                        PyObject* keyword_names);
// submit, if nothing is odd: neither the function, nor the caller (a worker of any pool), nor
// `submit` itself.  None otherwise.
PyObject* submit_plain(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                       PyObject* keyword_names);

// False when a subclass or the instance overrides `submit`, or a tool has replaced it: whatever is
// built on top of it has to call it then.
[[nodiscard]] bool uses_own_submit(PyObject* executor);

}  // namespace treadle::python
