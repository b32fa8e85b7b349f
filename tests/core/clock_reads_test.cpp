// How often the clock is read: not at all where nobody has asked for times; with histograms, once
// when a task comes and once when it ends, and once more after a pause.
//
// The clock of this process is counted: the standard library finds this `clock_gettime` first.

#include <atomic>
#include <cstdint>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#endif

#include "check.hpp"
#include "core/statistics.hpp"
#include "native_pool.hpp"

namespace {
std::atomic<std::uint64_t> clock_reads{0};
}

#if defined(__linux__)
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  clock_reads.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(syscall(SYS_clock_gettime, clock, now));
}
#endif

namespace treadle::test {
namespace {

template <class Work>
std::uint64_t reads_of(Work work) {
  const std::uint64_t before = clock_reads.load();
  work();
  return clock_reads.load() - before;
}

constexpr int kTasks = 1000;

struct KnownCall {
  Moment at;
  [[nodiscard]] Moment submission() const { return at; }
};

std::uint64_t reads_of_tasks(bool histograms, bool pauses) {
  Statistics statistics(histograms);
  WorkerStatistics worker(histograms);
  statistics.attach(worker);
  const std::uint64_t reads = reads_of([&] {
    for (int i = 0; i < kTasks; ++i) {
      const Moment submitted = statistics.submission();
      const Moment started =
          i % 2 == 0 ? worker.start(submitted) : worker.start(KnownCall{submitted});
      worker.end_run(started);
      worker.end(Ending::kResult);
      if (pauses) worker.expect_pause();
    }
  });
  statistics.detach(worker);
  CHECK(statistics.read(nullptr).started == kTasks);
  return reads;
}

void statistics_read_it_for_histograms_only() {
  CHECK(reads_of_tasks(false, false) == 0);
  CHECK(reads_of_tasks(false, true) == 0);
  CHECK(reads_of_tasks(true, false) == (2 * kTasks) + 1);
  CHECK(reads_of_tasks(true, true) == 3UL * kTasks);
}

std::uint64_t reads_of_pool(std::optional<KeepAlive> keep_alive) {
  NativePool pool(2, keep_alive);
  CountedTask first;
  CHECK(pool.submit(first));
  first.wait();
  return reads_of([&] {
    for (int i = 0; i < kTasks; ++i) {
      CountedTask task;
      CHECK(pool.submit(task));
      task.wait();
      // What the worker does with the task is over when it has fallen asleep.
      while (pool.scheduler.counts().idle == 0) boost::this_thread::yield();
    }
  });
}

void the_scheduler_reads_it_for_keep_alive_only() {
  CHECK(reads_of_pool(std::nullopt) == 0);
  const KeepAlive long_enough{.time = std::chrono::hours(1)};
  CHECK(reads_of_pool(long_enough) <= kTasks + 1);  // once a sleep
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  if (reads_of([] { (void)treadle::current_moment(); }) == 0)
    return 0;  // it cannot be counted here
  statistics_read_it_for_histograms_only();
  the_scheduler_reads_it_for_keep_alive_only();
}
