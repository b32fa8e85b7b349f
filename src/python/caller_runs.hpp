// A task that runs in the thread that has submitted it, because there was no room in the queue.
//
// It runs as in a worker: in a context of its own, known to `current_task`, its outcome in its
// future and in the pool's statistics.  A worker of the pool runs it as it runs a task that it
// waits for (helping.hpp); any other thread becomes an outsider for the time, and counts as a
// worker does.
#pragma once

#include <algorithm>
#include <atomic>

#include "python/call.hpp"
#include "python/future.hpp"
#include "python/pool.hpp"
#include "python/python_worker.hpp"

namespace treadle::python {

// A thread that runs a task of a pool to which it does not belong; they nest.
class Outsider {
 public:
  Outsider(Pool& pool, Future& future, const Call& call);
  ~Outsider();
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;

  // The calling thread's, if its innermost task is run by one; else null.
  [[nodiscard]] static const Outsider* current() {
    return used_.load(std::memory_order_relaxed) ? find_current() : nullptr;
  }
  // The calling thread's last one, whatever it runs inside of that; and the one before.
  [[nodiscard]] static const Outsider* innermost();
  [[nodiscard]] const Outsider* outer() const { return outer_; }
  [[nodiscard]] Future& future() const { return future_; }
  [[nodiscard]] const Call& call() const { return call_; }
  [[nodiscard]] WorkerStatistics& statistics() { return statistics_; }

  // In the child of a fork: the calling thread's go on, and are all that runs in the pool.  Returns
  // how many they are.
  [[nodiscard]] static std::uint64_t restart_in_child(Pool& pool);

 private:
  [[nodiscard]] static const Outsider* find_current();

  static inline std::atomic<bool> used_{false};  // relaxed: the thread that sets it sees it
  Pool& pool_;
  Future& future_;
  const Call& call_;
  WorkerStatistics statistics_;
  const int worker_depth_;  // tasks that the thread, as a worker, has beneath this one
  Outsider* const outer_;
};

// The future of the innermost task that the calling thread runs, as a worker or as an outsider; or
// null.
[[nodiscard]] Future* current_future();
// Whether `wanted` accepts one of all the futures whose tasks the thread is in the middle of.
template <class Wanted>
[[nodiscard]] bool is_inside_task(Wanted wanted);

// Runs a new future of the pool, which nobody else has seen.  False with an error set: it was not
// run; or KeyboardInterrupt has ended it in the main thread, where it is meant for the caller, too.
[[nodiscard]] bool run_in_caller(Pool& pool, Future& future);

template <class Wanted>
bool is_inside_task(Wanted wanted) {
  for (const Outsider* at = Outsider::innermost(); at != nullptr; at = at->outer()) {
    if (wanted(at->future())) return true;
  }
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr &&
         std::any_of(worker->running().begin(), worker->running().end(),
                     [&](Future* future) { return future != nullptr && wanted(*future); });
}

}  // namespace treadle::python
