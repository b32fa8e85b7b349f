// How a pool's tasks run: the host that a Python pool gives to its scheduler.
//
// A runner belongs to one thread.  Between `run` and `announce` it owns the task's outcome, which
// nobody else can see yet.
#pragma once

#include "python/python_worker.hpp"

namespace treadle::python {

void drop_sent_exception();

class TaskRunner {
 public:
  explicit TaskRunner(PythonWorker& worker) : worker_(*worker.state_) {}

  [[nodiscard]] bool run(Task& task);
  const ParkingWord* announce(Task& task);
  void leave() { thread_state_ = PyEval_SaveThread(); }
  void enter() { PyEval_RestoreThread(thread_state_); }

  // Runs a future that `start` or `start_out_of_turn` has just made this thread's.
  void run_started(Future& future);
  // Makes the outcome of `run_started` visible and wakes its waiters.
  const ParkingWord* announce_started(Future& future);

 private:
  PythonWorker::State& worker_;
  PyThreadState* thread_state_ = nullptr;
  Ref outcome_;
  bool failed_ = false;
  Future* future_ = nullptr;  // what `announce` has to finish; other tasks are over after `run`
  bool ran_ = false;
};

}  // namespace treadle::python
