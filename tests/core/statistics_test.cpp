// The invariants of statistics.hpp: the parts make up the whole at every moment, whoever comes,
// goes and reads meanwhile, and nothing that a worker has counted is lost when it leaves.

#include "core/statistics.hpp"

#include <boost/thread/thread.hpp>

#include "check.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

struct KnownCall {
  Moment at;
  [[nodiscard]] Moment submission() const { return at; }
};

std::uint64_t sum(const Statistics::Totals& totals) {
  return totals.ended[0] + totals.ended[1] + totals.ended[2];
}

void the_parts_make_up_the_whole(std::size_t workers, bool histograms) {
  constexpr std::uint64_t kTasks = 20'000;
  Statistics statistics(histograms);
  Mutex mutex;
  std::uint64_t submitted = 0;
  const auto submit = [&] {
    const MutexLock lock(mutex);
    ++submitted;
  };
  const auto taken = [&] {
    const MutexLock lock(mutex);
    return submitted;
  };
  std::atomic<std::size_t> left{workers};
  boost::thread_group threads;
  for (std::size_t w = 0; w < workers; ++w) {
    threads.create_thread([&] {
      // A worker leaves after a while, and another takes its place.
      for (std::uint64_t i = 0; i < kTasks;) {
        WorkerStatistics worker(histograms);
        statistics.attach(worker);
        for (int life = 0; life < 500; ++life, ++i) {
          submit();
          if (i % 7 == 0) {
            statistics.end_unstarted(Ending::kCancelled);
            continue;
          }
          const Moment started = worker.start(statistics.submission());
          if (i % 5 == 0) {  // a task inside of the task
            submit();
            const Moment inner = worker.start(KnownCall{statistics.submission()});
            worker.end_run(inner);
            worker.end(Ending::kException);
          }
          if (i % 11 == 0) worker.expect_pause();
          worker.end_run(started);
          worker.end(Ending::kResult);
        }
        statistics.detach(worker);
      }
      left.fetch_sub(1);
    });
  }
  const auto look = [&] {
    Statistics::DurationTotals durations;
    const Statistics::Totals totals = statistics.read(histograms ? &durations : nullptr);
    const std::uint64_t now = taken();
    CHECK(totals.running() <= 2 * workers);
    CHECK(totals.pending(now) <= now);  // not below zero
    CHECK(totals.pending(now) + totals.running() + sum(totals) == now);
    return std::pair(totals, durations);
  };
  while (left.load() != 0) (void)look();
  threads.join_all();
  const auto [totals, durations] = look();
  CHECK(totals.running() == 0 && totals.pending(taken()) == 0 && totals.running_since == 0);
  CHECK(sum(totals) == taken());
  CHECK(totals.ended[2] == workers * ((kTasks + 6) / 7));
  if (!histograms) return;
  CHECK(durations.queue_wait.count() == totals.started);
  CHECK(durations.run_time.count() == totals.started);
}

void the_longest_running_task_is_the_outermost() {
  Statistics statistics(true);
  WorkerStatistics first(true), second(true);
  statistics.attach(first);
  statistics.attach(second);
  const auto since = [&] {
    Statistics::DurationTotals durations;
    return statistics.read(&durations).running_since;
  };
  CHECK(since() == 0);
  const Moment outer = first.start(statistics.submission());
  const Moment other = second.start(statistics.submission());
  CHECK(since() == outer);
  const Moment inner = first.start(statistics.submission());
  CHECK(inner >= outer && since() == outer);
  first.end_run(inner);
  CHECK(since() == outer);
  first.end_run(outer);
  CHECK(since() == other);
  second.end_run(other);
  CHECK(since() == 0);
  statistics.detach(first);
  statistics.detach(second);
}

void without_histograms_no_clock_is_read() {
  Statistics statistics(false);
  CHECK(!statistics.has_histograms() && statistics.submission() == 0);
  WorkerStatistics worker(false);
  statistics.attach(worker);
  CHECK(worker.start(current_moment()) == 0);
  worker.end_run(0);
  worker.end(Ending::kResult);
  CHECK(statistics.read(nullptr).running_since == 0);
  statistics.detach(worker);
}

// Between two tasks that follow one another the clock is read once.
void a_start_is_the_end_before_unless_there_was_a_pause() {
  WorkerStatistics worker(true);
  const auto next = [&](Moment submitted) {
    const Moment started = worker.start(submitted);
    worker.end_run(started);
    worker.end(Ending::kResult);
    return started;
  };
  (void)next(1);
  const Moment before = current_moment();
  CHECK(next(1) <= before);
  (void)next(1);
  const Moment submitted = current_moment();
  CHECK(next(submitted) == submitted);  // it came after that end
  worker.expect_pause();
  const Moment pause_over = current_moment();
  CHECK(next(1) >= pause_over);
}

void a_child_of_a_fork_knows_only_what_runs_there() {
  Statistics statistics(true);
  WorkerStatistics survivor(true), lost(true);
  statistics.attach(survivor);
  statistics.attach(lost);
  (void)lost.start(statistics.submission());
  for (int i = 0; i < 3; ++i) {
    const Moment started = survivor.start(statistics.submission());
    survivor.end_run(started);
    survivor.end(Ending::kResult);
  }
  const Moment forking = survivor.start(statistics.submission());
  statistics.end_unstarted(Ending::kCancelled, 4);
  statistics.reject(2);
  CHECK(statistics.restart_in_child(&survivor, 0) == 1);
  Statistics::DurationTotals durations;
  Statistics::Totals totals = statistics.read(&durations);
  CHECK(totals.running() == 1 && totals.pending(1) == 0 && sum(totals) == 0);
  CHECK(totals.rejected == 0 && totals.running_since == forking);
  survivor.end_run(forking);
  survivor.end(Ending::kResult);
  totals = statistics.read(&durations);
  CHECK(totals.running() == 0 && sum(totals) == 1 && durations.run_time.count() == 1);
  statistics.detach(survivor);
}

void the_scheduler_counts_what_it_takes() {
  NativePool pool(2);
  CHECK(pool.scheduler.counts().submitted == 0);
  CountedTask task;
  CHECK(pool.submit(task));
  task.wait();
  CountedTask batch[3];
  FifoQueue queue;
  for (CountedTask& one : batch) queue.push_back(one);
  pool.follow_up(pool.scheduler.push_all(queue));
  for (CountedTask& one : batch) one.wait();
  CountedTask ticket;
  queue.push_back(ticket);
  pool.follow_up(pool.scheduler.push_all(queue, 100));
  ticket.wait();
  CHECK(pool.scheduler.counts().submitted == 104);
  pool.scheduler.close(Closed::kShutdown);
  CountedTask refused;
  CHECK(!pool.submit(refused));
  CHECK(pool.scheduler.counts().submitted == 104);
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  for (const std::size_t workers : {1, 2, 8}) {
    the_parts_make_up_the_whole(workers, false);
    the_parts_make_up_the_whole(workers, true);
  }
  the_longest_running_task_is_the_outermost();
  without_histograms_no_clock_is_read();
  a_start_is_the_end_before_unless_there_was_a_pause();
  a_child_of_a_fork_knows_only_what_runs_there();
  the_scheduler_counts_what_it_takes();
}
