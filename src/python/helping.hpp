// What a worker does while a task of its pool waits for another.
//
// Without this a pool deadlocks as soon as every worker waits.  A worker that waits for a future of
// its own pool
//  1. runs that very future on the waiting task's stack, if it is still in the queue, whatever
//     stands before it there, and the wait has no deadline;
//  2. otherwise sleeps; meanwhile the pool may have one more thread, which runs what is queued.
// It runs nothing but what the task waits for.  Any other task could wait, for a lock or for
// a result, for the very task that lies beneath it on the stack, and would wait for ever.
// At most kMaxHelpDepth tasks nest on one thread; at the limit the worker goes straight to 2, and
// the thread that takes its place can nest as deep again.  So neither the stack nor Python's
// recursion limit ends a chain of waits.
#pragma once

#include "python/future.hpp"

namespace treadle::python {

class PythonWorker;

constexpr int kMaxHelpDepth = 16;

// Waits for `future`, helping where the calling thread is a worker of the future's pool.
[[nodiscard]] Future::Slept sleep_or_help(Future& future, Deadline deadline);

// Runs `future` in the calling thread when that is a worker of the future's pool which may nest,
// and the future is still in the queue.  For waits without deadline that need this very future.
bool run_if_queued(Future& future);

// The calling thread's worker if it may run one more task on its stack, else null.
[[nodiscard]] PythonWorker* willing_worker();

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
