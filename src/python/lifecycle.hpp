// The end of the interpreter, and fork.
//
// At exit (`threading._register_atexit`: before non-daemon threads are joined) every pool refuses
// new work, its workers finish what is queued, and their threads are joined.  No worker is left
// that could try to attach to a dying interpreter.
//
// At fork the parent holds every pool's mutex, so that the child gets consistent copies.  In the
// child no worker thread exists: every pool starts clean, without threads and with an empty queue;
// futures that were queued, or running in another thread, are cancelled there, so that nobody
// waits for them for ever.
#pragma once

#include "python/pool.hpp"

namespace treadle::python {

void register_pool(Pool& pool);
void unregister_pool(Pool& pool);

[[nodiscard]] bool install_lifecycle(PyObject* module);

}  // namespace treadle::python
