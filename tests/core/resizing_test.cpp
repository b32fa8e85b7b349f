// `resize`: workers come and leave because more or fewer are allowed.
//
// The strategy is that of leaving_test.cpp.  Run under the thread and address sanitizers, too.

#include <vector>

#include "check.hpp"
#include "held_task.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

constexpr Clock::duration kShortest{1};
constexpr std::chrono::hours kLong{1};

void growing_starts_threads_for_what_waits() {
  NativePool pool(1);
  std::deque<HeldTask> held = occupy(pool, 1);
  std::deque<HeldTask> queued(4);
  for (HeldTask& task : queued) CHECK(pool.submit(task));
  CHECK(pool.thread_count() == 1);
  pool.follow_up_all(pool.scheduler.resize(4));
  CHECK(pool.scheduler.max_workers() == 4);
  for (std::size_t i = 0; i < 3; ++i) queued[i].await_begin();
  CHECK(pool.thread_count() == 4);
  CHECK(pool.scheduler.counts().queued == 1);
  release_all(held);
  release_all(queued);
}

void shrinking_lets_the_coldest_go_at_once_and_the_busy_after_their_task() {
  NativePool pool(5, KeepAlive{.time = kLong});
  std::deque<HeldTask> held = occupy(pool, 5);
  for (const std::size_t i : {3, 1, 4}) {
    const std::size_t idle = pool.scheduler.counts().idle;
    held[i].release();
    await_idle(pool, idle + 1);
  }
  pool.follow_up_all(pool.scheduler.resize(3));
  await_threads(pool, 3);
  eventually([&] { return pool.left().size() == 2; });
  for (const std::size_t number : pool.left()) {
    CHECK(number == held[3].worker || number == held[1].worker);
  }
  pool.follow_up_all(pool.scheduler.resize(1));
  await_threads(pool, 2);  // two are busy
  CHECK(pool.scheduler.counts().idle == 0);
  CountedTask queued;
  CHECK(pool.submit(queued));
  held[0].release();
  await_threads(pool, 1);
  CHECK(queued.runs.load() == 0);  // the surplus worker left, though a task waits
  held[2].release();
  queued.wait();
  await_idle(pool, 1);
  for (HeldTask& task : held) task.wait();
}

// Gives up its seat in the middle of a task, when the pool has shrunk.
struct ShrinkingHost : Host {
  ShrinkingHost(Scheduler& of, Worker& worker) : scheduler(of), seat(worker) {}
  bool run(Task& task) {
    CHECK(!scheduler.give_up_seat(seat));
    CHECK(!scheduler.resize(1).grow);
    CHECK(scheduler.give_up_seat(seat));
    Worker other;
    CHECK(!scheduler.give_up_seat(other));  // the one that is left may stay
    return Host::run(task);
  }
  Scheduler& scheduler;
  Worker& seat;
};

void who_gives_up_its_seat_leaves_after_its_task(bool quiet) {
  Scheduler scheduler(2);
  CountedTask first, second;
  first.quiet = quiet;
  CHECK(scheduler.push(first).grow);
  CHECK(scheduler.push(second).grow);
  Worker leaving, staying;
  ShrinkingHost shrinking(scheduler, leaving);
  scheduler.work(leaving, shrinking);
  CHECK(first.runs.load() == 1);
  CHECK(second.runs.load() == 0);
  CHECK(scheduler.counts().threads == 1);
  Host host;
  scheduler.close(Closed::kShutdown);
  scheduler.work(staying, host);
  CHECK(second.runs.load() == 1);
  CHECK(scheduler.counts().threads == 0);
}

void only_a_shrink_is_one() {
  Scheduler scheduler(3);
  CHECK(!scheduler.resize(3).grow);
  CHECK(!scheduler.resize(4).grow);
  CHECK(scheduler.shrinks() == 0);
  CHECK(!scheduler.resize(2).grow);
  CHECK(scheduler.shrinks() == 1);
}

void a_size_that_grows_back_keeps_the_busy() {
  NativePool pool(2);
  std::deque<HeldTask> held = occupy(pool, 2);
  pool.follow_up_all(pool.scheduler.resize(1));
  pool.follow_up_all(pool.scheduler.resize(2));
  release_all(held);
  await_idle(pool, 2);
}

void a_closed_scheduler_has_a_last_size() {
  Scheduler scheduler(2);
  scheduler.close(Closed::kShutdown);
  CHECK(scheduler.resize(5).refused == Closed::kShutdown);
  CHECK(scheduler.max_workers() == 2);
}

// Resizes, pushes and blocks race; every task runs once, and in the end the pool is of its size.
void resizes_race_with_everything(std::optional<KeepAlive> keep_alive) {
  constexpr std::size_t kTasks = 3000;
  std::deque<CountedTask> tasks(kTasks);
  NativePool pool(2, keep_alive);
  boost::thread_group threads;
  for (std::size_t r = 0; r < 2; ++r) {
    threads.create_thread([&, r] {
      for (std::size_t i = 0; i < 500; ++i) {
        pool.follow_up_all(pool.scheduler.resize(1 + (i * (r + 3)) % 5));
        Worker blocked;
        pool.follow_up(pool.scheduler.begin_block(blocked));
        boost::this_thread::yield();
        if (Worker* extra = pool.scheduler.end_block()) extra->call();
      }
    });
  }
  for (std::size_t p = 0; p < 2; ++p) {
    threads.create_thread([&, p] {
      for (std::size_t i = p; i < kTasks; i += 2) {
        CHECK(pool.submit(tasks[i]));
        if (i % 8 == 0) tasks[i].wait();
      }
    });
  }
  threads.join_all();
  for (CountedTask& task : tasks) task.wait();
  for (CountedTask& task : tasks) CHECK(task.runs.load() == 1);
  pool.follow_up_all(pool.scheduler.resize(1));
  eventually([&] { return pool.scheduler.counts().threads <= 1; });
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  growing_starts_threads_for_what_waits();
  shrinking_lets_the_coldest_go_at_once_and_the_busy_after_their_task();
  for (const bool quiet : {true, false}) who_gives_up_its_seat_leaves_after_its_task(quiet);
  only_a_shrink_is_one();
  a_size_that_grows_back_keeps_the_busy();
  a_closed_scheduler_has_a_last_size();
  resizes_race_with_everything(std::nullopt);
  resizes_race_with_everything(treadle::KeepAlive{.time = kShortest, .min_workers = 1});
}
