// asyncio's own code, recognised, so that unchanged programmes take the short way.
//
// `loop.run_in_executor` and `asyncio.wrap_future` chain a concurrent future to one of the loop's
// by closures: several Python calls and a write to a socket for each completion.  Two places are
// known:
//  1. `BaseEventLoop.run_in_executor` calls `submit`, and hands what it gets to `wrap_future`. That
//     gives back unchanged what is a future of asyncio's already.  So `submit` may return the
//     loop's own future when exactly that function calls it.
//  2. `_chain_future` adds a closure as callback whose cells hold the loop and the loop's future.
// Both are recognised by their code objects, looked up in the modules that are loaded; nothing is
// imported.  What is not recognised (another version's code, another library's) takes the ordinary
// way, which is always right.
//
// Thread safety: any attached thread.
#pragma once

#include <atomic>

#include "python/python_api.hpp"

namespace treadle::python {

// The loop whose `run_in_executor` calls this executor's `submit`; none when something else does.
// Nobody looks before a future has been chained for the first time: programmes without asyncio pay
// nothing, and in others the first call of `run_in_executor` takes the ordinary way.
extern std::atomic<bool> chaining_seen;  // a hint: relaxed, nothing depends on its order
[[nodiscard]] Ref find_loop_of_caller(PyObject* executor);
[[nodiscard]] inline Ref loop_of_caller(PyObject* executor) {
  return chaining_seen.load(std::memory_order_relaxed) ? find_loop_of_caller(executor) : Ref();
}

// Whether this version's closure ends the loop's future at once when it is called in the loop's own
// thread, as newer ones do.
[[nodiscard]] bool chaining_completes_at_once();

// What a closure of `_chain_future` leads to; empty when `callback` is another one.
struct ChainedTo {
  Ref loop, future;
};
[[nodiscard]] ChainedTo chained_to(PyObject* callback);

}  // namespace treadle::python
