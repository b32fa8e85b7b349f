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
#include <memory>
#include <optional>
#include <vector>

#include "core/scheduler.hpp"
#include "python/bound.hpp"
#include "python/future.hpp"
#include "python/shared.hpp"
#include "python/statistics.hpp"
#include "python/time_limits.hpp"

namespace treadle::python {

class MapJob;
class PythonWorker;

class Pool : public Shared<Pool>, public boost::intrusive::list_base_hook<> {
 public:
  // `executor` is a weak reference.  Registered with lifecycle.hpp while alive.
  Pool(std::size_t max_workers, bool propagate_context, bool histograms, bool daemon, Ref executor,
       std::optional<KeepAlive> keep_alive = std::nullopt);
  ~Pool();

  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  // Never 0.  Futures carry it: it tells whose they are without owning a reference.
  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] PoolStatistics& statistics() { return statistics_; }
  // Whether they were asked for; for `--report` they are there anyway.
  [[nodiscard]] bool shows_histograms() const { return shows_histograms_; }
  [[nodiscard]] bool propagates_context() const { return propagate_context_; }
  // Whether every task has a rank; with `aging`, one that waits gains a level in so many seconds
  // (0: never).  Set before the first is submitted.
  [[nodiscard]] bool ranks_all() const { return ranks_all_; }
  void rank_all(double aging);
  // Its clock.
  [[nodiscard]] const TimeKeeperPtr& time() const { return time_; }
  // No threads, and a clock of its own.  Set before the first task is submitted.
  void run_by_hand(TimeKeeperPtr time) {
    time_ = std::move(time);
    scheduler_.run_by_hand();
  }
  // The level of a task that is submitted now.
  [[nodiscard]] std::int64_t level_of(std::int64_t priority) const {
    return aging_ == 0 ? priority : aged(priority);
  }
  // Settings that say which priority a task was given, where its level does not; else none.
  [[nodiscard]] SettingsPtr remember(std::int64_t priority) {
    return aging_ == 0 ? SettingsPtr() : latest_with(priority);
  }
  [[nodiscard]] bool ages() const { return aging_ != 0; }
  // Null where the queue has no bound.
  [[nodiscard]] Bound* bound() { return bound_.get(); }
  // Before the pool is used.
  void set_bound(std::size_t max_pending, WhenFull when_full) {
    bound_ = std::make_unique<Bound>(max_pending, when_full);
  }
  // Refuses tasks from now on, also those that wait for room.
  void close(Closed reason);
  // Takes void tasks out of a bounded queue when they are the larger part of it.
  void sweep();
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
  // The same where no Python code may run: the threads are started by the next push that wants one.
  void follow_up_later(const Scheduler::Pushed& pushed);
  // Raises the standard library's error for a refused push of so many calls.
  void raise_refused(Closed reason, std::uint64_t calls = 1);

  // End every queued task without running it.
  void fail_queued(PyObject* exception);
  void cancel_queued();
  // The same for the futures of one view.
  void cancel_queued_of(const Settings& settings);

  // So that those who wait for their places see the pool's end.
  void add_reservation(Reservation& reservation);
  void remove_reservation(Reservation& reservation);

  // Jobs of `map`, so that the two above reach their items.
  void add_job(MapJob& job);
  void remove_job(MapJob& job);
  // The pool may have more workers now: so may they.  False with an error set.
  [[nodiscard]] bool widen_jobs();

  // What its workers are calling, and in which threads (pool_shutdown.cpp).
  struct RunningCall;
  [[nodiscard]] std::vector<RunningCall> running_calls();
  // From now on those calls have times.
  void time_calls();
  // The threads that have not begun, or only those that the calling thread is in the middle of
  // starting: it is in a signal handler.
  [[nodiscard]] std::size_t count_starting(bool anywhere) const;
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

  [[nodiscard]] std::int64_t aged(std::int64_t priority) const;
  [[nodiscard]] SettingsPtr latest_with(std::int64_t priority);
  [[nodiscard]] std::vector<boost::intrusive_ptr<MapJob>> jobs();
  [[nodiscard]] std::vector<ReservationPtr> reservations();
  template <class Visit>
  void for_each_places(Visit visit);
  [[nodiscard]] bool tolerates_failed_growth();
  [[nodiscard]] bool grow_fully();
  [[nodiscard]] Ref forget(PyObject* worker);
  void leave_executor(PyObject* thread);

  Scheduler scheduler_;
  const std::uint32_t id_;
  PoolStatistics statistics_;
  const bool shows_histograms_;
  const bool propagate_context_;
  std::unique_ptr<Bound> bound_;
  const bool daemon_;
  std::atomic<bool> lags_{false};  // see follow_up_later
  bool times_calls_ = false;       // guarded as seats_
  const Ref executor_;
  bool ranks_all_ = false;
  double aging_ = 0;    // seconds a level; 0: none
  SettingsPtr latest_;  // see `remember`; guarded as seats_
  TimeKeeperPtr time_ = system_time();
  std::atomic<std::uint32_t> next_number_{0};
  [[no_unique_address]] mutable ObjectMutex mutex_;
  std::vector<Seat> seats_;
  std::vector<MapJob*> jobs_;               // guarded as seats_
  std::vector<Reservation*> reservations_;  // likewise
};

struct Pool::Abandoned {
  FifoQueue queue;
  std::vector<Seat> seats;
};

using PoolPtr = boost::intrusive_ptr<Pool>;

}  // namespace treadle::python
