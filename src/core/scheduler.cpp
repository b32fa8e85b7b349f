#include "core/scheduler.hpp"

#include <algorithm>
#include <utility>

namespace treadle {

bool Scheduler::wants_thread_locked() const {
  return queue_.size() > idle_ + searching_ && threads_ < max_workers_ + blocked_;
}

void Scheduler::count_growth_locked() {
  ++threads_;
  ++searching_;
}

// Takes the warmest idle worker and counts it as the searcher.  Requires that there is one.
Worker* Scheduler::call_idle_locked() {
  Worker* worker = std::exchange(idle_top_, idle_top_->next_idle_);
  --idle_;
  ++searching_;
  worker->searching_ = true;
  // Pairs with the acquire in `sleep`: the thread finds `searching_` set.
  worker->signal_.store(Worker::kCalled, std::memory_order_release);
  return worker;
}

Scheduler::Pushed Scheduler::push(Task& task) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  queue_.push_back(task);
  if (searching_ == 0 && idle_ != 0) return {.wake = call_idle_locked()};
  if (!wants_thread_locked()) return {};
  count_growth_locked();
  return {.grow = true};
}

Scheduler::Pushed Scheduler::push_all(FifoQueue& tasks) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  queue_.append(tasks);
  Pushed pushed;
  if (queue_.empty()) return pushed;
  if (searching_ == 0 && idle_ != 0) pushed.wake = call_idle_locked();
  if (wants_thread_locked()) {
    count_growth_locked();
    pushed.grow = true;
  }
  return pushed;
}

bool Scheduler::grow_more() {
  const MutexLock lock(mutex_);
  if (!wants_thread_locked()) return false;
  count_growth_locked();
  return true;
}

Worker* Scheduler::cancel_growth() {
  const MutexLock lock(mutex_);
  --threads_;
  --searching_;
  // A push may have relied on the searcher that never came.
  return !queue_.empty() && searching_ == 0 && idle_ != 0 ? call_idle_locked() : nullptr;
}

Scheduler::Taken Scheduler::take(Worker& self) {
  if (self.orphaned_) return {.leave = true};
  const MutexLock lock(mutex_);
  Taken taken{.task = queue_.pop_front()};
  if (std::exchange(self.searching_, false)) --searching_;
  if (taken.task != nullptr) {
    if (!queue_.empty() && searching_ == 0 && idle_ != 0) taken.wake = call_idle_locked();
    return taken;
  }
  if (closed_ != Closed::kNo || threads_ > max_workers_ + blocked_) {
    --threads_;
    taken.leave = true;
    return taken;
  }
  self.signal_.store(Worker::kAsleep, std::memory_order_relaxed);  // read again under the mutex
  self.next_idle_ = std::exchange(idle_top_, &self);
  ++idle_;
  return taken;
}

void Scheduler::sleep(const Worker& self) {
  // Pairs with the release store of whoever took this worker off the idle stack.
  while (self.signal_.load(std::memory_order_acquire) == Worker::kAsleep) {
    (void)park(self.signal_, Worker::kAsleep,
               std::nullopt);  // the loop looks again, whatever it was
  }
}

Task* Scheduler::try_take() {
  const MutexLock lock(mutex_);
  return queue_.pop_front();
}

bool Scheduler::begin_block() {
  const MutexLock lock(mutex_);
  ++blocked_;
  if (!wants_thread_locked()) return false;
  count_growth_locked();
  return true;
}

Worker* Scheduler::end_block() {
  const MutexLock lock(mutex_);
  --blocked_;
  return threads_ > max_workers_ + blocked_ && idle_ != 0 ? call_idle_locked() : nullptr;
}

void Scheduler::close(Closed reason) {
  const MutexLock lock(mutex_);
  closed_ = std::max(closed_, reason);
  // A worker that leaves takes its link with it, and it cannot leave before it gets the mutex:
  // wake them here.  A closing pool may hold its mutex for a few system calls.
  while (idle_top_ != nullptr) {
    Worker* worker = std::exchange(idle_top_, idle_top_->next_idle_);
    worker->signal_.store(Worker::kCalled, std::memory_order_release);  // pairs with `sleep`
    worker->call();
  }
  idle_ = 0;
}

FifoQueue Scheduler::drain() {
  const MutexLock lock(mutex_);
  FifoQueue drained;
  drained.swap(queue_);
  return drained;
}

Scheduler::Counts Scheduler::counts() {
  const MutexLock lock(mutex_);
  return {.threads = threads_, .idle = idle_, .searching = searching_, .queued = queue_.size()};
}

std::size_t Scheduler::max_workers() {
  const MutexLock lock(mutex_);
  return max_workers_;
}

Closed Scheduler::closed() {
  const MutexLock lock(mutex_);
  return closed_;
}

FifoQueue Scheduler::restart_in_child() {
  mutex_.reset_after_fork();
  const MutexLock lock(mutex_);
  idle_top_ = nullptr;
  idle_ = searching_ = threads_ = blocked_ = 0;
  FifoQueue drained;
  drained.swap(queue_);
  return drained;
}

}  // namespace treadle
