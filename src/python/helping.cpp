#include "python/helping.hpp"

#include "python/python_worker.hpp"

namespace treadle::python {

PythonWorker* willing_worker() {
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr && worker->depth() < kMaxHelpDepth ? worker : nullptr;
}

bool run_if_queued(Future& future) {
  PythonWorker* worker = willing_worker();
  return worker != nullptr && worker->pool().id() == future.pool() && worker->run_if_queued(future);
}

Future::Slept sleep_or_help(Future& future, Deadline deadline) {
  PythonWorker* worker = PythonWorker::current();
  if (worker == nullptr || worker->pool().id() != future.pool()) {
    return future.sleep_until_done(deadline);
  }
  if (!deadline && run_if_queued(future)) return Future::Slept::kDone;
  const BlockedWorker blocked(worker);
  return future.sleep_until_done(deadline);
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
