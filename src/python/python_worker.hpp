// A worker thread of a Python pool: the target of a `threading.Thread`, and the scheduler's host.
//
// Life: made attached by `Pool::grow`, called once by its thread (which runs the initializer, then
// tasks until the scheduler lets it go), or revoked when its thread could not be started.
//
// Thread safety: `stage_` decides, under the GIL or the object mutex, whether a worker begins or
// is revoked; everything else belongs to its thread.
// Invariant: a worker that is asleep owns no reference to a task, a result or a callable.
#pragma once

#include "python/context.hpp"
#include "python/pool.hpp"

namespace treadle::python {

class PythonWorker {
 public:
  PyObject_HEAD

      [[nodiscard]] static bool
      make_type(PyObject* module);
  [[nodiscard]] static PyObject* make(PoolPtr pool);
  [[nodiscard]] static PythonWorker& of(PyObject* object) {
    return *reinterpret_cast<PythonWorker*>(object);
  }
  // The worker whose thread calls this, or null.
  [[nodiscard]] static PythonWorker* current();

  [[nodiscard]] Pool& pool() { return *state_->pool; }
  [[nodiscard]] int depth() const { return state_->depth; }
  // The thread could not be started.  False when it has begun all the same.
  [[nodiscard]] bool revoke();

  // Runs a task that was taken from the pool's queue inside another task, to its end.
  void run_nested(Task& task);
  // The same for a future that is still queued, and has been started out of turn.
  void run_out_of_turn(Future& future);

  // Runs one item of a job of `map`, inside a task that waits for it; false when none is left.
  [[nodiscard]] bool run_map_item(MapJob& job);

  // See BlockedWorker and expect_wait in helping.hpp.
  void begin_block();
  void end_block();
  void expect_wait();
  // In the child of a fork, for the worker whose thread forked.
  void orphan() { Scheduler::orphan(state_->seat); }
  // The future that the worker's outermost task computes, or null.
  [[nodiscard]] Future* running() { return state_->running; }

 private:
  friend struct PythonWorkerSlots;
  friend class TaskRunner;
  enum class Stage : std::uint8_t { kNew, kWorking, kOver };

  struct State {
    explicit State(PoolPtr owner) : pool(std::move(owner)) {}
    PoolPtr pool;
    Worker seat;
    WorkerContexts contexts;
    Breather breather;
    Future* running = nullptr;
    int depth = 0;              // tasks on this thread's stack
    bool expects_wait = false;  // the outermost task may be asleep in the standard library
    Stage stage = Stage::kNew;
    [[no_unique_address]] ObjectMutex mutex;
  };

  [[nodiscard]] bool begin();
  [[nodiscard]] bool initialize();
  void work();

  State* state_;
};

}  // namespace treadle::python
