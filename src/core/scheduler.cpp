#include "core/scheduler.hpp"

#include <algorithm>
#include <utility>

namespace treadle {

bool Scheduler::wants_thread_locked() const {
  // In a burst the first answers: the pool has its threads.
  return threads_ < max_workers_ + blocked_ &&
         startable_locked() > idle_.size() + searching_ + starting_ && !by_hand_;
}

namespace {

std::size_t difference_or_0(std::size_t left, std::size_t right) {
  return left > right ? left - right : 0;
}

}  // namespace

std::size_t Scheduler::shared_most_locked() const {
  return std::max<std::size_t>(difference_or_0(max_workers_, queue_.reserves().kept()), 1);
}

std::size_t Scheduler::shared_in_use_locked() const {
  const std::size_t free = idle_.size() + searching_ + starting_;
  return difference_or_0(threads_, free + blocked_ + yielding_ + queue_.reserves().kept_in_use());
}

std::size_t Scheduler::startable_locked() const {
  if (queue_.reserves().empty()) [[likely]]
    return queue_.size();
  return queue_.startable(difference_or_0(shared_most_locked(), shared_in_use_locked()));
}

Task* Scheduler::take_reserved_locked(Worker& self) {
  // Until it has a task, this worker counts as one that is free.
  ++searching_;
  Task* task = queue_.pop_startable(difference_or_0(shared_most_locked(), shared_in_use_locked()));
  --searching_;
  const Rank* rank = task != nullptr ? task->rank() : nullptr;
  self.serving_ = rank != nullptr ? rank->reserve() : nullptr;
  if (self.serving_ != nullptr) queue_.reserves().began(*self.serving_);
  return task;
}

void Scheduler::end_task_locked(Worker& self) {
  if (self.serving_ != nullptr) [[unlikely]] {
    queue_.reserves().ended(*std::exchange(self.serving_, nullptr));
  }
  if (self.yields_) [[unlikely]] {
    self.yields_ = false;
    --yielding_;
  }
}

void Scheduler::count_growth_locked() {
  ++threads_;
  ++starting_;
}

Worker::Seeking Scheduler::stop_seeking_locked(Worker& self) {
  const Worker::Seeking was = std::exchange(self.seeking_, Worker::Seeking::kNo);
  switch (was) {
    case Worker::Seeking::kNo:
      break;
    case Worker::Seeking::kStarting:
      --starting_;
      break;
    case Worker::Seeking::kDismissed:
      --dismissed_;
      [[fallthrough]];
    case Worker::Seeking::kSearching:
      --searching_;
      break;
  }
  return was;
}

Worker* Scheduler::call_locked(Worker& worker, Worker::Seeking seeking) {
  ++searching_;
  worker.seeking_ = seeking;
  // Pairs with the acquire in `sleep`: the thread finds `seeking_` set.
  worker.signal_.store(Worker::kCalled, std::memory_order_release);
  return &worker;
}

Worker* Scheduler::call_for_queue_locked() {
  if (idle_.empty()) return nullptr;
  // A closed scheduler has no more use for its idle workers: whoever looks for a task, wherever it
  // goes from there, wakes the next of them.
  if (closed_ == Closed::kNo && (searching_ != 0 || startable_locked() == 0)) return nullptr;
  return call_locked(idle_.pop_warmest(), Worker::Seeking::kSearching);
}

Worker* Scheduler::call_for_surplus_locked() {
  if (idle_.empty() || !has_surplus_locked()) return nullptr;
  return call_locked(idle_.pop_coldest(), Worker::Seeking::kSearching);
}

Scheduler::Pushed Scheduler::call_or_grow_locked() {
  if (Worker* worker = call_for_queue_locked()) return {.wake = worker};
  if (!wants_thread_locked()) return {};
  count_growth_locked();
  return {.grow = true};
}

Scheduler::Pushed Scheduler::push(Task& task) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  queue_.push_back(task);
  ++submitted_;
  return call_or_grow_locked();
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

// A worker that was called for a task and leaves instead may have been the one that a push relies
// on: the next comes for the task.
Scheduler::Taken Scheduler::leave_uncounted_locked() {
  Worker* next = call_for_surplus_locked();
  return {.wake = next != nullptr ? next : call_for_queue_locked(), .leave = true};
}

Scheduler::Taken Scheduler::leave_locked() {
  --threads_;
  return leave_uncounted_locked();
}

Scheduler::Taken Scheduler::take(Worker& self) {
  if (self.left_ == Worker::Left::kOrphaned) return {.leave = true};
  const MutexLock lock(mutex_);
  end_task_locked(self);
  if (self.left_ != Worker::Left::kNo) return leave_uncounted_locked();
  const Worker::Seeking was = stop_seeking_locked(self);
  if (has_surplus_locked()) return leave_locked();
  Task* task = queue_.reserves().empty() ? queue_.pop_front() : take_reserved_locked(self);
  if (task != nullptr) return {.task = task, .wake = call_for_queue_locked()};
  if (closed_ != Closed::kNo) return leave_locked();
  if (was == Worker::Seeking::kDismissed && threads_ > min_workers_) return leave_locked();
  self.sleeps_for_ever_ = threads_ <= min_workers_;
  self.signal_.store(Worker::kAsleep, std::memory_order_relaxed);  // read again under the mutex
  idle_.push(self);
  return {};
}

void Scheduler::sleep(Worker& self) {
  Deadline deadline;
  if (!self.sleeps_for_ever_) deadline = Clock::now() + keep_alive_;
  // Pairs with the release store of whoever took this worker from the idle ones.
  while (self.signal_.load(std::memory_order_acquire) == Worker::kAsleep) {
    if (park(self.signal_, Worker::kAsleep, deadline) == Parked::kTimedOut) {
      time_out(self);
      deadline.reset();
    }  // whatever else it was, the loop looks again
  }
}

void Scheduler::time_out(Worker& self) {
  Worker* dismissed = nullptr;
  do {
    dismissed = dismiss_coldest(self);
    if (dismissed != nullptr && dismissed != &self) dismissed->call();
  } while (dismissed != nullptr && dismissed != &self);
}

Worker* Scheduler::dismiss_coldest(const Worker& self) {
  const MutexLock lock(mutex_);
  // Not asleep any more: a push has called it at this very moment, or another has dismissed it.
  const bool asleep = self.signal_.load(std::memory_order_relaxed) == Worker::kAsleep;
  if (!asleep || threads_ - dismissed_ <= min_workers_) return nullptr;
  ++dismissed_;
  return call_locked(idle_.pop_coldest(), Worker::Seeking::kDismissed);
}

Scheduler::Pushed Scheduler::begin_block(Worker& self) {
  const MutexLock lock(mutex_);
  ++blocked_;
  // When it goes on, it counts among the others: its reserve may be gone by then.
  if (self.serving_ != nullptr) queue_.reserves().ended(*std::exchange(self.serving_, nullptr));
  return call_or_grow_locked();
}

Worker* Scheduler::end_block() {
  const MutexLock lock(mutex_);
  --blocked_;
  return call_for_surplus_locked();
}

Scheduler::Pushed Scheduler::resize(std::size_t max_workers) {
  const MutexLock lock(mutex_);
  if (closed_ != Closed::kNo) return {.refused = closed_};
  if (max_workers < max_workers_) shrinks_.fetch_add(1, std::memory_order_relaxed);
  max_workers_ = max_workers;
  if (Worker* surplus = call_for_surplus_locked()) return {.wake = surplus};
  return call_or_grow_locked();
}

Reserve* Scheduler::open_reserve(std::size_t workers) {
  auto fresh = std::make_unique<Reserve>();
  const MutexLock lock(mutex_);
  Reserves& reserves = queue_.reserves();
  const std::size_t left = difference_or_0(max_workers_, reserves.kept());
  if (workers >= left && !by_hand_) return nullptr;
  shrinks_.fetch_add(1, std::memory_order_relaxed);
  return &reserves.open(workers, fresh);
}

Scheduler::Pushed Scheduler::close_reserve(Reserve& reserve) {
  const MutexLock lock(mutex_);
  queue_.reserves().close(reserve);
  return call_or_grow_locked();
}

bool Scheduler::give_up_seat(Worker& self) {
  const MutexLock lock(mutex_);
  if (!has_surplus_locked()) {
    if (self.yields_ || queue_.reserves().empty()) return false;
    if (shared_in_use_locked() <= shared_most_locked()) return false;
    self.yields_ = true;
    ++yielding_;
    return true;
  }
  --threads_;
  self.left_ = Worker::Left::kGaveUp;
  return true;
}

void Scheduler::run_by_hand() {
  const MutexLock lock(mutex_);
  by_hand_ = true;
}

Task* Scheduler::take_by_hand() {
  const MutexLock lock(mutex_);
  return queue_.pop_front();
}

void Scheduler::close(Closed reason) {
  const MutexLock lock(mutex_);
  closed_ = std::max(closed_, reason);
  // The others follow one by one: all at once, they would fight for the interpreter.
  if (Worker* first = call_for_queue_locked()) first->call();
}

FifoQueue Scheduler::drain() {
  const MutexLock lock(mutex_);
  return queue_.drain();
}

Scheduler::Counts Scheduler::counts() {
  const MutexLock lock(mutex_);
  return {.threads = threads_,
          .idle = idle_.size(),
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
  idle_.clear();
  searching_ = dismissed_ = starting_ = threads_ = blocked_ = yielding_ = 0;
  queue_.reserves().forget_running();
  submitted_ = running;
  return queue_.drain();
}

}  // namespace treadle
