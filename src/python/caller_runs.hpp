// A task that runs in the thread that has submitted it, because there was no room in the queue.
//
// It runs as in a worker: in a context of its own, known to `current_task`, its outcome in its
// future and in the pool's statistics.  A worker of the pool runs it as it runs a task that it
// waits for (helping.hpp); any other thread becomes an outsider for the time, and counts as a
// worker does.
#pragma once

#include "python/call.hpp"
#include "python/future.hpp"
#include "python/pool.hpp"

namespace treadle::python {

// A thread that runs a task of a pool to which it does not belong; they nest.
class Outsider {
 public:
  Outsider(Pool& pool, Future& future, const Call& call);
  ~Outsider();
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;

  // The calling thread's, if its innermost task is run by one; else null.
  [[nodiscard]] static const Outsider* current();
  [[nodiscard]] Future& future() const { return future_; }
  [[nodiscard]] const Call& call() const { return call_; }
  [[nodiscard]] WorkerStatistics& statistics() { return statistics_; }

  // In the child of a fork: the calling thread's go on, and are all that runs in the pool.  Returns
  // how many they are.
  [[nodiscard]] static std::uint64_t restart_in_child(Pool& pool);

 private:
  Pool& pool_;
  Future& future_;
  const Call& call_;
  WorkerStatistics statistics_;
  const int worker_depth_;  // tasks that the thread, as a worker, has beneath this one
  Outsider* const outer_;
};

// Runs a new future of the pool, which nobody else has seen.  False with an error set: it was not
// run; or KeyboardInterrupt has ended it in the main thread, where it is meant for the caller, too.
[[nodiscard]] bool run_in_caller(Pool& pool, Future& future);

}  // namespace treadle::python
