// What a worker does while a task of its pool waits for another: it runs queued tasks.
//
// Without this a pool deadlocks as soon as every worker waits.  A worker that waits for a future
// of its own pool
//  1. runs that very future, if it still waits in the queue, whatever stands before it;
//  2. otherwise, while the future runs elsewhere, runs the oldest queued task;
//  3. otherwise sleeps until the future is done; meanwhile the pool may have one more thread.
// A helped task runs on the waiting task's stack.  At most kMaxHelpDepth tasks nest on one thread;
// at the limit the worker goes straight to 3, and the thread that takes its place can nest as
// deep again.  So neither the stack nor Python's recursion limit ends a chain of waits.
#pragma once

#include "python/future.hpp"

namespace treadle::python {

class PythonWorker;

constexpr int kMaxHelpDepth = 16;

// Waits for `future`, helping where the calling thread is a worker of the future's pool.
[[nodiscard]] Future::Slept sleep_or_help(Future& future, Deadline deadline);

// Runs one queued task of the calling worker's pool, if it is a worker, may nest, and there is one.
[[nodiscard]] bool help_once();

// While alive, a worker (null: none) does not count against its pool's size.
class BlockedWorker {
 public:
  explicit BlockedWorker(PythonWorker* worker);
  ~BlockedWorker();
  BlockedWorker(const BlockedWorker&) = delete;
  BlockedWorker& operator=(const BlockedWorker&) = delete;

 private:
  PythonWorker* worker_;
};

// The standard library's `wait` and `as_completed` begin by looking at a future's `_waiters`: when
// a worker does that to an unfinished future of its own pool, the worker counts as blocked until
// its task ends, because it may sleep where no help is possible.
void expect_wait(Future& future);

}  // namespace treadle::python
