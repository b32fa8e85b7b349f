#include "python/helping.hpp"

#include "python/python_worker.hpp"

namespace treadle::python {

namespace {

// The calling thread's worker when it may run one more task on its stack, else null.
PythonWorker* willing_worker() {
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr && worker->depth() < kMaxHelpDepth ? worker : nullptr;
}

}  // namespace

bool help_once() {
  PythonWorker* worker = willing_worker();
  Task* task = worker != nullptr ? worker->pool().scheduler().try_take() : nullptr;
  if (task == nullptr) return false;
  worker->run_nested(*task);
  return true;
}

Future::Slept sleep_or_help(Future& future, Deadline deadline) {
  PythonWorker* worker = PythonWorker::current();
  if (worker == nullptr || worker->pool().id() != future.pool()) {
    return future.sleep_until_done(deadline);
  }
  while (!future.done()) {
    if (deadline && Clock::now() >= *deadline) return Future::Slept::kTimedOut;
    if (willing_worker() != nullptr && future.start_out_of_turn()) {
      worker->run_out_of_turn(future);
    } else if (!help_once()) {
      const BlockedWorker blocked(worker);
      return future.sleep_until_done(deadline);
    }
  }
  return Future::Slept::kDone;
}

BlockedWorker::BlockedWorker(PythonWorker* worker) : worker_(worker) {
  if (worker_ != nullptr) worker_->begin_block();
}

BlockedWorker::~BlockedWorker() {
  if (worker_ != nullptr) worker_->end_block();
}

void expect_wait(Future& future) {
  PythonWorker* worker = PythonWorker::current();
  if (worker == nullptr || worker->pool().id() != future.pool() || future.done()) return;
  worker->expect_wait();
}

}  // namespace treadle::python
