// One executor's native half: its scheduler, and what workers need of the executor.
//
// Ownership: the executor and every worker hold the pool; a worker reaches the executor through a
// weak reference only, so that an executor can be collected while its workers finish the queue.
//
// Thread safety: `scheduler`, any thread; the rest, attached threads.  `seats_` is guarded by the
// GIL or, on free-threaded builds, by `mutex_`.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <vector>

#include "core/scheduler.hpp"
#include "python/future.hpp"
#include "python/shared.hpp"

namespace treadle::python {

class MapJob;
class PythonWorker;

class Pool : public Shared<Pool>, public boost::intrusive::list_base_hook<> {
 public:
  // `executor` is a weak reference.  Registered with lifecycle.hpp while alive.
  Pool(std::size_t max_workers, bool propagate_context, bool daemon, Ref executor);
  ~Pool();

  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  // Never 0.  Futures carry it: it tells whose they are without owning a reference.
  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] bool propagates_context() const { return propagate_context_; }
  // Its threads are daemons: the interpreter's end does not wait for them.
  [[nodiscard]] bool is_daemon() const { return daemon_; }
  // None when the executor is gone.
  [[nodiscard]] Ref executor() const;

  // Starts the thread that the scheduler asked for.  False with an error set: it could not be
  // started; the scheduler knows.
  [[nodiscard]] bool grow();
  // Follows up on a push: wakes, grows.  A thread that cannot be started is an error only when the
  // pool has no other to run what was pushed: false then, with the error set.
  [[nodiscard]] bool follow_up(const Scheduler::Pushed& pushed);
  // The same for a push of several tasks, which may want several threads.
  [[nodiscard]] bool follow_up_all(const Scheduler::Pushed& pushed);
  // Raises the standard library's error for a refused push.
  void raise_refused(Closed reason) const;

  // End every queued task without running it.
  void fail_queued(PyObject* exception);
  void cancel_queued();

  // Jobs of `map`, so that the two above reach their items.
  void add_job(MapJob& job);
  void remove_job(MapJob& job);

  // What its workers are calling, and in which threads (pool_shutdown.cpp).
  struct RunningCall;
  [[nodiscard]] std::vector<RunningCall> running_calls();
  // From now on those calls have times.
  void time_calls();
  // The threads that the calling thread is in the middle of starting: it is in a signal handler.
  [[nodiscard]] std::size_t starting_here() const;
  // The calling thread is a worker of this pool.
  [[nodiscard]] bool is_worker_here() const;

  // Running threads, for whoever joins them at exit.  The executor forgets a worker
  // that ends while the pool is open when it starts another.
  void retire(PyObject* worker);
  [[nodiscard]] Ref threads() const;  // a list, or null with an error set
  // In the child of a fork: no thread of the pool exists, but for the one that forked.  First every
  // pool starts anew, then each gives up what it had: that may run finalizers, which may use any
  // pool.
  struct Abandoned;
  [[nodiscard]] Abandoned restart_in_child();
  void give_up_in_child(Abandoned abandoned);

  [[nodiscard]] std::uint32_t next_thread_number() {
    return next_number_.fetch_add(1, std::memory_order_relaxed);  // only distinctness matters
  }

 private:
  // A worker object and its thread; the thread is null until it is known.
  struct Seat {
    PyObject* worker;  // borrowed: its thread keeps it until it calls `retire`
    PyObject* thread;
    unsigned long starter;  // the identity of the thread that is starting it, or 0
  };

  [[nodiscard]] std::vector<boost::intrusive_ptr<MapJob>> jobs();
  [[nodiscard]] bool tolerates_failed_growth();
  [[nodiscard]] Ref forget(PyObject* worker);
  void leave_executor(PyObject* thread);

  Scheduler scheduler_;
  const std::uint32_t id_;
  const bool propagate_context_;
  const bool daemon_;
  bool times_calls_ = false;  // guarded as seats_
  const Ref executor_;
  std::atomic<std::uint32_t> next_number_{0};
  [[no_unique_address]] mutable ObjectMutex mutex_;
  std::vector<Seat> seats_;
  std::vector<MapJob*> jobs_;  // guarded as seats_
};

struct Pool::Abandoned {
  FifoQueue queue;
  std::vector<Seat> seats;
};

using PoolPtr = boost::intrusive_ptr<Pool>;

}  // namespace treadle::python
