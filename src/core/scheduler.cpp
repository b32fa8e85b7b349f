#include "core/scheduler.hpp"

#include <algorithm>
#include <utility>

namespace treadle {

bool Scheduler::wants_thread_locked() const {
  return queue_.size() > idle_ + searching_ + starting_ && threads_ < max_workers_ + blocked_;
}

void Scheduler::count_growth_locked() {
  ++threads_;
  ++starting_;
}

void Scheduler::stop_seeking_locked(Worker& self) {
  switch (std::exchange(self.seeking_, Worker::Seeking::kNo)) {
    case Worker::Seeking::kNo:
      break;
    case Worker::Seeking::kStarting:
      --starting_;
      break;
    case Worker::Seeking::kSearching:
      --searching_;
      break;
  }
}

// Takes the warmest idle worker and counts it as the searcher.  Requires that there is one.
Worker* Scheduler::call_idle_locked() {
  Worker* worker = std::exchange(idle_top_, idle_top_->next_idle_);
  --idle_;
  ++searching_;
  worker->seeking_ = Worker::Seeking::kSearching;
  // Pairs with the acquire in `sleep`: the thread finds `seeking_` set.
  worker->signal_.store(Worker::kCalled, std::memory_order_release);
  return worker;
}

Worker* Scheduler::call_for_queue_locked() {
  // A closed scheduler has no more use for its idle workers: whoever looks for a task, wherever it
  // goes from there, wakes the next of them.
  if (closed_ != Closed::kNo) return idle_ != 0 ? call_idle_locked() : nullptr;
  return !queue_.empty() && searching_ == 0 && idle_ != 0 ? call_idle_locked() : nullptr;
}

Scheduler::Pushed Scheduler::push(Task& task) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  queue_.push_back(task);
  ++submitted_;
  if (Worker* worker = call_for_queue_locked()) return {.wake = worker};
  if (!wants_thread_locked()) return {};
  count_growth_locked();
  return {.grow = true};
}

Scheduler::Pushed Scheduler::push_all(FifoQueue& tasks, std::uint64_t submitted) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  queue_.append(tasks);
  submitted_ += submitted;
  Pushed pushed{.wake = call_for_queue_locked()};
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
  --starting_;
  return call_for_queue_locked();  // a push may have relied on the thread that never came
}

Scheduler::Taken Scheduler::take(Worker& self) {
  if (self.orphaned_) return {.leave = true};
  const MutexLock lock(mutex_);
  stop_seeking_locked(self);
  if (threads_ > max_workers_ + blocked_) {
    --threads_;
    return {.wake = call_for_queue_locked(), .leave = true};
  }
  if (Task* task = queue_.pop_front()) return {.task = task, .wake = call_for_queue_locked()};
  if (closed_ != Closed::kNo) {
    --threads_;
    return {.wake = call_for_queue_locked(), .leave = true};
  }
  self.signal_.store(Worker::kAsleep, std::memory_order_relaxed);  // read again under the mutex
  self.next_idle_ = std::exchange(idle_top_, &self);
  ++idle_;
  return {};
}

void Scheduler::sleep(const Worker& self) {
  // Pairs with the release store of whoever took this worker off the idle stack.
  while (self.signal_.load(std::memory_order_acquire) == Worker::kAsleep) {
    (void)park(self.signal_, Worker::kAsleep,
               std::nullopt);  // the loop looks again, whatever it was
  }
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
  // The others follow one by one: all at once, they would fight for the interpreter.
  if (idle_ != 0) call_idle_locked()->call();
}

FifoQueue Scheduler::drain() {
  const MutexLock lock(mutex_);
  FifoQueue drained;
  drained.swap(queue_);
  return drained;
}

Scheduler::Counts Scheduler::counts() {
  const MutexLock lock(mutex_);
  return {.threads = threads_,
          .idle = idle_,
          .searching = searching_,
          .starting = starting_,
          .queued = queue_.size(),
          .submitted = submitted_};
}

std::size_t Scheduler::max_workers() {
  const MutexLock lock(mutex_);
  return max_workers_;
}

Closed Scheduler::closed() {
  const MutexLock lock(mutex_);
  return closed_;
}

FifoQueue Scheduler::restart_in_child(std::uint64_t running) {
  mutex_.reset_after_fork();
  const MutexLock lock(mutex_);
  idle_top_ = nullptr;
  idle_ = searching_ = starting_ = threads_ = blocked_ = 0;
  submitted_ = running;
  FifoQueue drained;
  drained.swap(queue_);
  return drained;
}

}  // namespace treadle
