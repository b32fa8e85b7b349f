// A worker thread of a Python pool: the target of a `threading.Thread`, and the scheduler's host.
//
// Life: made attached by `Pool::grow`, called once by its thread (which runs the initializer, then
// tasks until the scheduler lets it go), or revoked when its thread could not be started.
//
// Thread safety: `stage_` decides, under the GIL or the object mutex, whether a worker begins or
// is revoked; everything else belongs to its thread.
// Invariant: a worker that is asleep owns no reference to a task, a result or a callable.
#pragma once

#include <vector>

#include "python/context.hpp"
#include "python/pool.hpp"
#include "python/running_calls.hpp"

namespace treadle::python {

class PythonWorker {
 public:
  PyObject_HEAD

      [[nodiscard]] static bool
      make_type(PyObject* module);
  [[nodiscard]] static PyObject* make(PoolPtr pool, PyObject* executor);
  [[nodiscard]] static PythonWorker& of(PyObject* object) {
    return *reinterpret_cast<PythonWorker*>(object);
  }
  // The worker whose thread calls this, or null.
  [[nodiscard]] static PythonWorker* current() { return current_; }

  [[nodiscard]] Pool& pool() { return *state_->pool; }
  [[nodiscard]] int depth() const { return state_->depth; }
  // The innermost task's future and call; null where it has none, or nothing is called.
  [[nodiscard]] Future* current_future() const {
    return state_->running.empty() ? nullptr : state_->running.back();
  }
  // All of them, the outermost first.
  [[nodiscard]] const std::vector<Future*>& running() const { return state_->running; }
  [[nodiscard]] const Call* current_call() const { return state_->call; }
  // What `current_task()` gave to the innermost call; kept for its next look, until it ends.
  [[nodiscard]] Ref& task_view() { return state_->task_view; }
  // What the worker is calling, and the identity of its thread; valid while it calls something.
  [[nodiscard]] RunningCalls& calls() { return state_->calls; }
  [[nodiscard]] unsigned long thread_identity() const { return state_->thread_identity; }
  // The thread could not be started.  False when it has begun all the same.
  [[nodiscard]] bool revoke();
  // Nobody knows yet whether the thread will run.
  [[nodiscard]] bool is_new();

  // Runs the next task of a pool that has no threads, in the calling one: 1, or 0 when none waits;
  // -1: error set.
  [[nodiscard]] static int run_by_hand(Pool& pool, PyObject* executor);
  // Runs a future of the pool that is still queued, inside the task that waits for it; false when
  // it is not to be had.
  [[nodiscard]] bool run_if_queued(Future& future);
  // The same for an item of a job of `map`, if nobody has taken it.
  [[nodiscard]] bool run_map_item(MapJob& job, Py_ssize_t item);

  // See BlockedWorker and expect_wait in helping.hpp.
  void begin_block();
  void end_block();
  void expect_wait();
  // In the child of a fork, for the worker whose thread forked.  Returns how many tasks it runs.
  [[nodiscard]] std::uint64_t orphan();
  // In the child of a fork, for a worker whose thread does not exist there.
  void abandon_in_child();

 private:
  friend struct PythonWorkerSlots;
  friend class TaskRunner;
  enum class Stage : std::uint8_t { kNew, kWorking, kOver };

  struct State {
    explicit State(PoolPtr owner)
        : pool(std::move(owner)), statistics(pool->statistics().has_histograms()) {}
    PoolPtr pool;
    // The executor's; it may be gone when the thread gets to them.
    Ref initializer, initargs;
    Worker seat;
    WorkerStatistics statistics;
    WorkerContexts contexts;
    Breather breather;
    // The futures that were taken and are not done, the outermost first; null for other tasks.
    std::vector<Future*> running;
    RunningCalls calls;
    unsigned long thread_identity = 0;
    const Call* call = nullptr;  // what is being called for the innermost future
    Ref task_view;
    int depth = 0;              // tasks on this thread's stack
    bool expects_wait = false;  // the outermost task may be asleep in the standard library
    Stage stage = Stage::kNew;
    [[no_unique_address]] ObjectMutex mutex;
  };

  [[nodiscard]] bool begin();
  [[nodiscard]] bool initialize();
  void report_failed_initializer();
  void work();

  // Asked at each submit: without the call that thread-local variables of libraries cost otherwise.
#if defined(__linux__)
  [[gnu::tls_model("initial-exec")]]
#endif
  static constinit thread_local PythonWorker* current_;

  State* state_;
};

}  // namespace treadle::python
