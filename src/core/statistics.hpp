// What has become of a pool's tasks: counted where it happens, added up by whoever asks.
//
// A worker counts in a `WorkerStatistics` of its own, so that counting shares nothing; the pool's
// `Statistics` holds the counts of tasks that ended without a worker, and what the workers that
// have left had counted.  How many tasks came is the scheduler's to know: its mutex is held then.
//
// Thread safety: `WorkerStatistics`, its worker's thread, and `Statistics::read` any; `Statistics`,
// any thread.
// Invariants:
//  1. A task is counted as started, or as ended without having started; the first is followed by
//     one count of its end, by the same worker.  Each happens before others can see it.
//  2. `read` looks at the ends first and at the starts then, and the scheduler's count is read
//  after
//     both: so no difference between them is negative, and the parts make up the whole.  What a
//     worker ends in between is looked for again: its running tasks are those of one moment.
//  3. Clocks are read only where durations are measured.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "core/histogram.hpp"
#include "core/mutex.hpp"

namespace treadle {

// How a task ended.
enum class Ending : std::uint8_t { kResult, kException, kCancelled };
constexpr std::size_t kEndings = 3;

// Nanoseconds on the monotonic clock; 0 where nothing is measured.
using Moment = std::int64_t;
inline Moment current_moment() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class WorkerStatistics : public boost::intrusive::list_base_hook<> {
 public:
  explicit WorkerStatistics(bool histograms)
      : durations_(histograms ? std::make_unique<Durations>() : nullptr) {}

  // A task that was submitted then starts now.  Returns when; to be given to `end_run`.
  [[nodiscard]] Moment start(Moment submitted) {
    grow(started_);
    return durations_ != nullptr ? start_measured(submitted) : 0;
  }
  // The same for what knows when it was submitted only where durations are measured.
  template <class Call>
  [[nodiscard]] Moment start(const Call& call) {
    grow(started_);
    return durations_ != nullptr ? start_measured(call.submission()) : 0;
  }
  // What has been called returned, and what it was given is released.
  void end_run(Moment started) {
    if (durations_ != nullptr) end_measured(started);
  }
  // The outcome is about to be visible.
  void end(Ending ending) { grow(ended_[static_cast<std::size_t>(ending)]); }
  // Time may have passed since the last end: the next start looks at the clock.
  void expect_pause() {
    if (durations_ != nullptr) durations_->last_end = 0;
  }

 private:
  friend class Statistics;
  using Counter = std::atomic<std::uint64_t>;
  using Ended = std::array<std::uint64_t, kEndings>;
  struct Durations {
    Histogram queue_wait, run_time;
    std::atomic<Moment> running_since{0};  // the outermost task's start; 0: none runs
    Moment last_end = 0;                   // serves as the next start; 0: does not
    int depth = 0;
  };

  // One writer.  The release pairs with the acquire in `Statistics::read`: who sees an end sees the
  // start, and the submission.
  static void grow(Counter& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // Both as they were at one moment.
  struct Counts {
    Ended ended{};
    std::uint64_t started = 0;
  };
  [[nodiscard]] Counts read() const;
  Moment start_measured(Moment submitted);
  void end_measured(Moment started);

  Counter started_{0};
  std::array<Counter, kEndings> ended_{};
  const std::unique_ptr<Durations> durations_;
};

class Statistics {
 public:
  explicit Statistics(bool histograms)
      : left_durations_(histograms ? std::make_unique<DurationTotals>() : nullptr) {}
  Statistics(const Statistics&) = delete;
  Statistics& operator=(const Statistics&) = delete;

  [[nodiscard]] bool has_histograms() const { return left_durations_ != nullptr; }
  // When a task is submitted: now, if that is to be known.
  [[nodiscard]] Moment submission() const { return has_histograms() ? current_moment() : 0; }

  // A worker's thread begins; it ends, and its counts are kept.
  void attach(WorkerStatistics& worker) TREADLE_EXCLUDES(mutex_);
  void detach(WorkerStatistics& worker) TREADLE_EXCLUDES(mutex_);

  // Tasks that end without having started.
  void end_unstarted(Ending ending, std::uint64_t tasks = 1) {
    ended_unstarted_[static_cast<std::size_t>(ending)].fetch_add(tasks, std::memory_order_release);
  }
  // Tasks that were never taken; those that were, and of which their submitter then heard that they
  // were not.
  void reject(std::uint64_t tasks) { rejected_.fetch_add(tasks, std::memory_order_relaxed); }
  void take_back() {
    taken_back_.fetch_add(1, std::memory_order_release);
    reject(1);
  }
  // One that was cancelled to make room for another; it is counted as cancelled besides.
  void drop() { dropped_.fetch_add(1, std::memory_order_relaxed); }
  // A running task was asked to stop; and has ended.
  void abandon() { abandoned_.fetch_add(1, std::memory_order_relaxed); }
  void end_abandoned() { abandoned_.fetch_sub(1, std::memory_order_relaxed); }

  struct DurationTotals {
    HistogramTotals queue_wait, run_time;
  };
  struct Totals {
    std::array<std::uint64_t, kEndings> ended{};
    std::uint64_t ended_unstarted = 0, started = 0, ended_started = 0;
    std::uint64_t taken_back = 0, rejected = 0, dropped = 0, abandoned = 0;
    Moment running_since = 0;  // of the task that has run longest; 0: none, or nobody knows

    [[nodiscard]] std::uint64_t running() const { return started - ended_started; }
    // Of so many tasks that the scheduler has taken.
    [[nodiscard]] std::uint64_t submitted(std::uint64_t taken) const { return taken - taken_back; }
    [[nodiscard]] std::uint64_t pending(std::uint64_t taken) const {
      return submitted(taken) - started - ended_unstarted;
    }
  };
  // Adds to `durations`, where it is not null.  The scheduler's count must be read afterwards.
  [[nodiscard]] Totals read(DurationTotals* durations) TREADLE_EXCLUDES(mutex_);

  // In the child of a fork: everything begins anew, with what `survivor`, the worker whose thread
  // exists there, is in the middle of; it may be null.  Returns how many tasks those are.
  std::uint64_t restart_in_child(WorkerStatistics* survivor, std::uint64_t abandoned);
  // The same for one more survivor, afterwards.
  std::uint64_t keep_in_child(WorkerStatistics& survivor) TREADLE_EXCLUDES(mutex_);

 private:
  using Counter = std::atomic<std::uint64_t>;
  static std::uint64_t load(const Counter& counter) {
    return counter.load(std::memory_order_acquire);  // pairs with the release of whoever counts
  }

  std::uint64_t keep_locked(WorkerStatistics& survivor) TREADLE_REQUIRES(mutex_);

  Mutex mutex_;
  boost::intrusive::list<WorkerStatistics, boost::intrusive::constant_time_size<false>> workers_
      TREADLE_GUARDED_BY(mutex_);
  std::uint64_t left_started_ TREADLE_GUARDED_BY(mutex_) = 0;
  std::array<std::uint64_t, kEndings> left_ended_ TREADLE_GUARDED_BY(mutex_){};
  const std::unique_ptr<DurationTotals> left_durations_ TREADLE_PT_GUARDED_BY(mutex_);
  std::array<Counter, kEndings> ended_unstarted_{};
  Counter rejected_{0}, taken_back_{0}, dropped_{0}, abandoned_{0};
};

}  // namespace treadle
