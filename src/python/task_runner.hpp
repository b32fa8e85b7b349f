// How a pool's tasks run: the host that a Python pool gives to its scheduler.
//
// A runner belongs to one thread.  Between `run` and `announce` it owns the task's outcome, which
// nobody else can see yet.
#pragma once

#include "python/bound.hpp"
#include "python/python_worker.hpp"

namespace treadle::python {

void drop_sent_exception(PyThreadState* thread);

class TaskRunner {
 public:
  explicit TaskRunner(PythonWorker& worker) : worker_(*worker.state_) {}

  [[nodiscard]] bool run(Task& task);
  const ParkingWord* announce(Task& task);
  void took(Task& task) const {
    Pool& pool = *worker_.pool;
    if (pool.bound() != nullptr && task.kind() == kFutureTask) {
      give_back_place(pool, static_cast<Future&>(task));
    }
  }
  void leave() { thread_state_ = PyEval_SaveThread(); }
  void enter() {
    attach(thread_state_);
    worker_.statistics.expect_pause();
  }

  // Runs a future that is queued still and has been started out of turn, inside another task.
  void run_out_of_turn(Future& future, Call& call, Ref context);

 private:
  void make_call(Future& future, Call& call, Ref context);
  // Makes the outcome of `make_call` visible; returns the word on which threads wait, or null.
  const ParkingWord* announce_outcome(Future& future);
  // Ends what the outermost task has begun in `expect_wait`.
  void end_expected_wait();

  PythonWorker::State& worker_;
  PyThreadState* thread_state_ = nullptr;
  Ref outcome_;
  Ending ending_ = Ending::kResult;
  Future* future_ = nullptr;  // what `announce` has to finish; other tasks are over after `run`
  bool ran_ = false;
};

}  // namespace treadle::python
