// Completions on their way into event loops, in batches.
//
// A future that an event loop waits for carries a Delivery: the loop's queue (loop_queue.hpp) and
// the loop's own future.  On completion the delivery joins the queue; the first of a batch costs
// one `call_soon_threadsafe`, the others a queue operation.  In the loop's thread a drain completes
// the loop's futures, a bounded number a turn, so that a busy pool cannot starve the loop.
//
// Thread safety: any attached thread.
// Invariants:
//  1. A loop that is closed gets nothing, and what was meant for it is dropped, as the standard
//     library does; also when a drain was under way.  No reference to the loop's futures stays.
//  2. What a signal handler raises inside the bridge is raised where the handler ran, and costs no
//     completion.
#pragma once

#include "python/future.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

// With the queue and the bell.
[[nodiscard]] bool make_loop_bridge(PyObject* module);

// `loop.create_future()`; none with an error set.
[[nodiscard]] inline Ref new_future_of(PyObject* loop) {
  return Ref::steal(PyObject_CallMethodNoArgs(loop, names.create_future));
}

// Whether this thread is inside the loop; null is none.
[[nodiscard]] inline bool runs_here(PyObject* loop) {
  const Ref running = Ref::steal(PyObject_CallNoArgs(stdlib.running_loop_or_none));
  if (!running) PyErr_Clear();
  return running && running.get() == loop;
}

// The exception that a task of asyncio sees in place of one of concurrent.futures, as
// `asyncio.wrap_future` has it; others are given back.  Null with an error set.
[[nodiscard]] Ref as_asyncio_exception(PyObject* exception);

// In the loop's thread: completes what waits, up to a turn's worth, and sees to the rest.  None, or
// null with the exception of a signal handler set.
[[nodiscard]] PyObject* drain_here(PyObject* queue);

// Hands over a list of deliveries of `future`, which is done, the latest first.  Takes them.  False
// with the exception of a signal handler set: all is handed over nevertheless.
[[nodiscard]] bool deliver_to_loops(Delivery* deliveries, PyObject* future);

}  // namespace treadle::python
