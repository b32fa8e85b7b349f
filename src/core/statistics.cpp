#include "core/statistics.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace treadle {

Moment WorkerStatistics::start_measured(Moment submitted) {
  Durations& durations = *durations_;
  Moment now = std::exchange(durations.last_end, 0);
  // A task may have come after the end of the one before.
  now = now != 0 ? std::max(now, submitted) : current_moment();
  durations.queue_wait.record(now - submitted);
  // Nothing depends on the order: who reads it compares it with the clock, and no more.
  if (durations.depth++ == 0) durations.running_since.store(now, std::memory_order_relaxed);
  return now;
}

void WorkerStatistics::end_measured(Moment started) {
  Durations& durations = *durations_;
  const Moment now = current_moment();
  durations.run_time.record(now - started);
  if (--durations.depth != 0) return;
  durations.running_since.store(0, std::memory_order_relaxed);
  durations.last_end = now;
}

WorkerStatistics::Counts WorkerStatistics::read() const {
  // The acquires pair with the release in `grow`.
  const auto ended = [this] {
    Ended now{};
    for (std::size_t i = 0; i < kEndings; ++i) now[i] = ended_[i].load(std::memory_order_acquire);
    return now;
  };
  Counts counts;
  for (int tries = 0; tries < 1000; ++tries) {  // one is enough, unless this thread is interrupted
    counts.ended = ended();
    counts.started = started_.load(std::memory_order_acquire);
    if (ended() == counts.ended) break;
  }
  return counts;
}

void Statistics::attach(WorkerStatistics& worker) {
  const MutexLock lock(mutex_);
  workers_.push_back(worker);
}

void Statistics::detach(WorkerStatistics& worker) {
  const MutexLock lock(mutex_);
  workers_.erase(workers_.iterator_to(worker));
  const WorkerStatistics::Counts counts = worker.read();
  left_started_ += counts.started;
  for (std::size_t i = 0; i < kEndings; ++i) left_ended_[i] += counts.ended[i];
  if (worker.durations_ == nullptr) return;
  worker.durations_->queue_wait.add_to(left_durations_->queue_wait);
  worker.durations_->run_time.add_to(left_durations_->run_time);
}

Statistics::Totals Statistics::read(DurationTotals* durations) {
  Totals totals;
  const MutexLock lock(mutex_);
  totals.started = left_started_;
  totals.ended = left_ended_;
  for (const WorkerStatistics& worker : workers_) {
    const WorkerStatistics::Counts counts = worker.read();
    totals.started += counts.started;
    for (std::size_t i = 0; i < kEndings; ++i) totals.ended[i] += counts.ended[i];
  }
  totals.ended_started =
      std::accumulate(totals.ended.begin(), totals.ended.end(), std::uint64_t{0});
  for (std::size_t i = 0; i < kEndings; ++i) {
    const std::uint64_t unstarted = load(ended_unstarted_[i]);
    totals.ended[i] += unstarted;
    totals.ended_unstarted += unstarted;
  }
  totals.taken_back = load(taken_back_);
  totals.rejected = load(rejected_);
  totals.dropped = load(dropped_);
  totals.abandoned = load(abandoned_);
  if (durations == nullptr) return totals;
  durations->queue_wait.add(left_durations_->queue_wait);
  durations->run_time.add(left_durations_->run_time);
  for (const WorkerStatistics& worker : workers_) {
    worker.durations_->queue_wait.add_to(durations->queue_wait);
    worker.durations_->run_time.add_to(durations->run_time);
    const Moment since = worker.durations_->running_since.load(std::memory_order_relaxed);
    if (since == 0) continue;
    totals.running_since =
        totals.running_since == 0 ? since : std::min(totals.running_since, since);
  }
  return totals;
}

std::uint64_t Statistics::restart_in_child(WorkerStatistics* survivor, std::uint64_t abandoned) {
  mutex_.reset_after_fork();
  const MutexLock lock(mutex_);
  workers_.clear();
  left_started_ = 0;
  left_ended_.fill(0);
  if (left_durations_ != nullptr) *left_durations_ = {};
  // One thread is left: no order matters.
  for (Counter& counter : ended_unstarted_) counter.store(0, std::memory_order_relaxed);
  for (Counter* counter : {&rejected_, &taken_back_, &dropped_}) {
    counter->store(0, std::memory_order_relaxed);
  }
  abandoned_.store(abandoned, std::memory_order_relaxed);
  return survivor != nullptr ? keep_locked(*survivor) : 0;
}

std::uint64_t Statistics::keep_in_child(WorkerStatistics& survivor) {
  const MutexLock lock(mutex_);
  return keep_locked(survivor);
}

std::uint64_t Statistics::keep_locked(WorkerStatistics& survivor) {
  std::uint64_t running = load(survivor.started_);
  for (Counter& counter : survivor.ended_) {
    running -= counter.exchange(0, std::memory_order_relaxed);
  }
  survivor.started_.store(running, std::memory_order_relaxed);
  if (survivor.durations_ != nullptr) {
    survivor.durations_->queue_wait.clear();
    survivor.durations_->run_time.clear();
  }
  workers_.push_back(survivor);
  return running;
}

}  // namespace treadle
