// The end of the interpreter, and fork.
//
// At exit (`threading._register_atexit`: before non-daemon threads are joined) every pool refuses
// new work, its workers finish what is queued, and their threads are joined.  No worker is left
// that could try to attach to a dying interpreter.  Pools of daemon threads are not waited for:
// what they have queued is cancelled, and a thread that comes back to the interpreter too late
// stays where it is (unless_exiting.hpp).
//
// In the child of a fork no worker thread exists: every pool starts clean, without threads and with
// an empty queue; futures that were queued, or running in another thread, are cancelled there, so
// that nobody waits for them for ever.  The parent holds no pool's mutex over the fork: other
// hooks run Python code in between, and a worker that got the GIL then would wait for the mutex
// with it.  It needs none: a pool's state changes attached only, so that with a GIL the child's
// copy is whole.  On a free-threaded build another thread may be in the middle of a queue
// operation: then the child may miss queued futures, which stay pending there.
#pragma once

#include "python/pool.hpp"

namespace treadle::python {

void register_pool(Pool& pool);
void unregister_pool(Pool& pool);
// The pool whose id futures carry, or none when it is gone.
[[nodiscard]] PoolPtr find_pool(std::uint32_t id);

[[nodiscard]] bool install_lifecycle(PyObject* module);

}  // namespace treadle::python
