// Who runs what: a queue of tasks (task_queue.hpp), the workers that take from it, and when a
// worker is woken, added or let go.
//
// A host embeds the scheduler and supplies what it cannot know (`work` below): how to run a task,
// how to make its outcome visible, and how to enter and leave the state in which tasks may run
// (for Python: attach to the interpreter, detach from it; for native code: nothing).
//
// Thread safety: every method, from any thread, unless it says otherwise.
// Invariants:
//  1. A task leaves the queue exactly once.  A push that races with `close` is either refused or
//     its task is taken by a worker: both happen under the mutex, and a worker exits only when it
//     finds, under the mutex, the queue empty and the scheduler closed.
//  2. One searcher: once the pool has its threads, at most one worker is awake without a task.
//     Whoever wakes a worker counts it as searching; it stops searching when it has entered *and*
//     has taken a task, and if it leaves more behind, it wakes the next.  So where only one
//     thread can be entered at a time, at most one worker waits for that, and the running worker
//     drains the queue undisturbed; and a task that leaves the interpreter (I/O) makes room for
//     the searcher, which takes the next task and calls its own successor.
//  3. No lost wake-up: a push finds a searcher, who will look at the queue under the mutex after
//     the push, or an idle worker, whom it calls, or every worker busy: each of them looks again.
//     A thread that is starting is none of these: its initializer may take as long as it likes.
//  4. Growth: a push asks for a thread when more tasks wait than workers are free (idle, searching
//     or starting) and there are fewer threads than allowed.  A worker is free from before its
//     last outcome becomes visible: whoever sees that outcome, and pushes, reuses the worker.
//     Where there are more threads than allowed, because a blocked one goes on or `resize` allows
//     fewer, the next that looks for a task leaves, whatever waits; idle ones leave as a chain, in
//     which each wakes the next.
//  5. Once it is closed, no worker becomes idle, and the idle ones leave as a chain: `close` wakes
//     the first, and each that wakes or ends a task wakes the next.
//  6. Keep-alive: a worker that has slept for its time dismisses the coldest of the idle, which is
//     itself or one that has slept longer, as long as more than the minimum stay; else it sleeps on
//     for ever, so at most the minimum do.  A dismissed worker counts as searching: a push may rely
//     on it, for it leaves only when it finds, under the mutex, no task and again too many threads.
//     Only workers that fall asleep look at the clock.
//  7. Reserves: no task starts that would have more workers busy with tasks that none is kept for
//     than are left of `max_workers`, or one; blocked workers do not count.  Where a task "waits"
//     above, it is one that may start.  What ends lets one more start, which the same worker takes;
//     whatever else lets tasks start is followed up as a push.
//  8. Nothing under the mutex calls the host or allocates; only `close` wakes a thread there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/idle_workers.hpp"
#include "core/mutex.hpp"
#include "core/parking_spot.hpp"
#include "core/task_queue.hpp"
#include "core/worker.hpp"

namespace treadle {

// Why a scheduler takes no more tasks; a later reason in this list replaces an earlier one.
enum class Closed : std::uint8_t { kNo, kExit, kShutdown, kBroken };

// When idle workers leave: after `time`, as long as more than `min_workers` threads stay.
struct KeepAlive {
  Clock::duration time;
  std::size_t min_workers = 0;
};

class Scheduler {
 public:
  explicit Scheduler(std::size_t max_workers, std::optional<KeepAlive> keep_alive = std::nullopt)
      : keep_alive_(keep_alive ? keep_alive->time : Clock::duration::zero()),
        min_workers_(keep_alive ? keep_alive->min_workers
                                : std::numeric_limits<std::size_t>::max()),
        max_workers_(max_workers) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // What the caller of a push must do next, with no lock held.
  struct Pushed {
    Closed refused = Closed::kNo;  // not kNo: the task was not taken
    Worker* wake = nullptr;        // call this worker
    bool grow = false;             // start one thread that calls `work`, else `cancel_growth()`
  };
  [[nodiscard]] Pushed push(Task& task) TREADLE_EXCLUDES(mutex_);
  // All of `tasks` or, when refused, none.  May ask for growth: call `grow_more` for further ones.
  [[nodiscard]] Pushed push_all(FifoQueue& tasks) { return push_all(tasks, tasks.size()); }
  // The same for tasks that stand for another number of them, which is what counts as submitted.
  [[nodiscard]] Pushed push_all(FifoQueue& tasks, std::uint64_t submitted) TREADLE_EXCLUDES(mutex_);
  // A task that never comes into the queue counts as submitted, too.
  void count_unqueued() TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++submitted_;
  }
  // True when one more thread is wanted (invariant 4); it is then counted already.
  [[nodiscard]] bool grow_more() TREADLE_EXCLUDES(mutex_);
  // The thread that was asked for could not be started.  Returns a worker to call, or null.
  Worker* cancel_growth() TREADLE_EXCLUDES(mutex_);

  // A worker's life, on its own thread, entered.
  //   host.took(Task&)  it has left the queue; the last task's outcome may not be visible yet;
  //   bool host.run(Task&)  runs it; true when announcing its outcome runs no user code;
  //   const ParkingWord* host.announce(Task&)  makes the outcome visible and lets the task go;
  //                         returns the word on which threads wait for it, or null;
  //   host.leave(), host.enter()  around sleeping.
  template <class Host>
  void work(Worker& self, Host& host);

  // A worker is about to block inside a task: the pool may grow by one until `end_block`.  To be
  // followed up as a push.
  [[nodiscard]] Pushed begin_block(Worker& self) TREADLE_EXCLUDES(mutex_);
  // Returns a worker to call (one too many now, it will leave), or null.
  [[nodiscard]] Worker* end_block() TREADLE_EXCLUDES(mutex_);

  // Keeps so many workers for the tasks that will refer to the result; null: none would be left
  // for other tasks.  Who takes tasks out by hand may keep what they like: it changes nothing.
  [[nodiscard]] Reserve* open_reserve(std::size_t workers) TREADLE_EXCLUDES(mutex_);
  // Keeps none for them any more; to be followed up as a push of several tasks.
  [[nodiscard]] Pushed close_reserve(Reserve& reserve) TREADLE_EXCLUDES(mutex_);
  // No task refers to it any more.
  void forget_reserve(Reserve& reserve) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    queue_.reserves().forget(reserve);
  }
  // How many workers are kept in all.
  [[nodiscard]] std::size_t reserved() TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.reserves().kept();
  }

  // No thread of its own, ever: somebody takes the tasks out, one by one.
  void run_by_hand() TREADLE_EXCLUDES(mutex_);
  // The next task in order, which the caller runs; null when none waits.
  Task* take_by_hand() TREADLE_EXCLUDES(mutex_);
  // Allows more threads or fewer from now on; to be followed up as a push of several tasks.  When
  // refused, nothing has changed.
  [[nodiscard]] Pushed resize(std::size_t max_workers) TREADLE_EXCLUDES(mutex_);
  // A worker in a task that others can end without it looks now and then whether `shrinks` has
  // changed.  Then, true: it is to end its task, because there are too many workers, and it leaves;
  // or because it stands where one is kept for other tasks.
  [[nodiscard]] std::uint32_t shrinks() const {
    return shrinks_.load(std::memory_order_relaxed);  // a hint: the counts are read under the mutex
  }
  [[nodiscard]] bool give_up_seat(Worker& self) TREADLE_EXCLUDES(mutex_);

  // Refuses tasks from now on.  What is queued still runs.
  void close(Closed reason) TREADLE_EXCLUDES(mutex_);
  // Empties the queue; the tasks are the caller's.
  FifoQueue drain() TREADLE_EXCLUDES(mutex_);
  // Takes back a ranked task; false when it is not in the queue (any more).
  [[nodiscard]] bool remove(Task& task) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.remove(task);
  }
  // Gives a ranked task another level; false when it is not in the queue (any more).
  [[nodiscard]] bool move(Task& task, std::int64_t level) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.move(task, level);
  }
  // Takes back the first task that `wanted(task)` accepts, or null.  Walks the queue.
  template <class Wanted>
  Task* withdraw(Wanted wanted) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.remove_first(wanted);
  }
  // The same, the oldest of the least urgent.
  template <class Wanted>
  Task* withdraw_oldest(Wanted wanted) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.remove_oldest(wanted);
  }
  // Takes back all of them.
  template <class Wanted>
  FifoQueue withdraw_all(Wanted wanted) TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return queue_.remove_all(wanted);
  }

  struct Counts {
    std::size_t threads, idle, searching, starting, queued;
    std::uint64_t submitted;  // tasks taken since the beginning
  };
  Counts counts() TREADLE_EXCLUDES(mutex_);
  std::size_t max_workers() TREADLE_EXCLUDES(mutex_);
  Closed closed() TREADLE_EXCLUDES(mutex_);

  // In the child of a fork, where no worker's thread exists: a fresh mutex, no threads, an empty
  // queue; what was queued is the caller's.  `running` tasks are all that it has ever taken.
  FifoQueue restart_in_child(std::uint64_t running = 0);
  // In the child: `self` is the one worker whose thread exists; it leaves after its task.
  static void orphan(Worker& self) {
    self.left_ = Worker::Left::kOrphaned;
    self.serving_ = nullptr;
  }

 private:
  struct Taken {
    Task* task = nullptr;
    Worker* wake = nullptr;  // call this worker
    bool leave = false;      // the thread is to end
  };
  Taken take(Worker& self) TREADLE_EXCLUDES(mutex_);
  void sleep(Worker& self) TREADLE_EXCLUDES(mutex_);
  // `self` has slept for its time.  Afterwards it is still asleep, then for ever, or dismissed.
  void time_out(Worker& self) TREADLE_EXCLUDES(mutex_);
  // The coldest worker, dismissed, when one may leave because the time of `self` is up, or null.
  Worker* dismiss_coldest(const Worker& self) TREADLE_EXCLUDES(mutex_);

  // How many workers at most run tasks that none is kept for, and how many do.
  std::size_t shared_most_locked() const TREADLE_REQUIRES(mutex_);
  std::size_t shared_in_use_locked() const TREADLE_REQUIRES(mutex_);
  // How many of the queued tasks may start, and the first of them, for `self`.
  std::size_t startable_locked() const TREADLE_REQUIRES(mutex_);
  Task* take_reserved_locked(Worker& self) TREADLE_REQUIRES(mutex_);
  // What `self` held because of its last task.
  void end_task_locked(Worker& self) TREADLE_REQUIRES(mutex_);
  bool wants_thread_locked() const TREADLE_REQUIRES(mutex_);
  // Calls an idle worker for the queue, or asks for a thread, if either is wanted.
  Pushed call_or_grow_locked() TREADLE_REQUIRES(mutex_);
  void count_growth_locked() TREADLE_REQUIRES(mutex_);
  bool has_surplus_locked() const TREADLE_REQUIRES(mutex_) {
    return threads_ > max_workers_ + blocked_;
  }
  Taken leave_locked() TREADLE_REQUIRES(mutex_);
  // The same for a worker that is not counted any more.
  Taken leave_uncounted_locked() TREADLE_REQUIRES(mutex_);
  // Returns what it was.
  Worker::Seeking stop_seeking_locked(Worker& self) TREADLE_REQUIRES(mutex_);
  // The worker to call when tasks wait and nobody comes for them, or null.
  Worker* call_for_queue_locked() TREADLE_REQUIRES(mutex_);
  // The worker to call when an idle one is one too many, or null.
  Worker* call_for_surplus_locked() TREADLE_REQUIRES(mutex_);
  // Counts a worker that was idle as a searcher.
  Worker* call_locked(Worker& worker, Worker::Seeking seeking) TREADLE_REQUIRES(mutex_);

  const Clock::duration keep_alive_;
  const std::size_t min_workers_;  // without keep-alive: more than there can be
  std::atomic<std::uint32_t> shrinks_{0};
  Mutex mutex_;
  TaskQueue queue_ TREADLE_GUARDED_BY(mutex_);
  IdleWorkers idle_ TREADLE_GUARDED_BY(mutex_);
  std::size_t searching_ TREADLE_GUARDED_BY(mutex_) = 0;  // the dismissed ones, too
  std::size_t dismissed_ TREADLE_GUARDED_BY(mutex_) = 0;
  std::size_t starting_ TREADLE_GUARDED_BY(mutex_) = 0;
  std::size_t threads_ TREADLE_GUARDED_BY(mutex_) = 0;
  std::size_t blocked_ TREADLE_GUARDED_BY(mutex_) = 0;
  std::size_t yielding_ TREADLE_GUARDED_BY(mutex_) = 0;  // about to end a task early, for a reserve
  std::size_t max_workers_ TREADLE_GUARDED_BY(mutex_);
  bool by_hand_ TREADLE_GUARDED_BY(mutex_) = false;
  std::uint64_t submitted_ TREADLE_GUARDED_BY(mutex_) = 0;
  Closed closed_ TREADLE_GUARDED_BY(mutex_) = Closed::kNo;
};

template <class Host>
void Scheduler::work(Worker& self, Host& host) {
  const auto take_next = [&] {
    const Taken taken = take(self);
    if (taken.task != nullptr) host.took(*taken.task);
    return taken;
  };
  for (;;) {
    // Threads that wait for the last outcome before this worker sleeps.  They are woken after
    // `leave`: woken earlier, they would find the interpreter taken and sleep a second time.
    const ParkingWord* waiting = nullptr;
    Taken next = take_next();
    while (next.task != nullptr) {
      if (next.wake != nullptr) next.wake->call();
      Task& task = *next.task;
      if (host.run(task)) {
        next = take_next();  // before the outcome is visible: invariant 4
        waiting = host.announce(task);
      } else {
        // User code runs now, which may wait for a task that this worker must not hold back.
        waiting = host.announce(task);
        if (waiting != nullptr) unpark_all(waiting);
        waiting = nullptr;
        next = take_next();
      }
      if (waiting != nullptr && next.task != nullptr) unpark_all(waiting);
    }
    if (next.leave) {
      if (next.wake != nullptr) next.wake->call();
      if (waiting != nullptr) unpark_all(waiting);
      return;
    }
    host.leave();
    if (waiting != nullptr) unpark_all(waiting);
    sleep(self);
    host.enter();
  }
}

}  // namespace treadle
