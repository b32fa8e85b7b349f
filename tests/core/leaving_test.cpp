// Workers that leave an open scheduler: after their time (`KeepAlive`), and because `resize` allows
// fewer.
//
// The strategy: tasks that are held put every worker where it should be, and what has to happen
// then is waited for, not timed; the shortest keep-alive there is makes pushes and time-outs meet
// all the time.  Run under the thread and address sanitizers, too.

#include <array>
#include <vector>

#include "check.hpp"
#include "held_task.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

constexpr Clock::duration kShortest{1};
constexpr std::chrono::milliseconds kShort{2};
constexpr std::chrono::hours kLong{1};

void idle_workers_leave_but_for_the_minimum() {
  for (const std::size_t least : {0, 1, 3, 4}) {
    NativePool pool(4, KeepAlive{.time = kShort, .min_workers = least});
    std::deque<HeldTask> held = occupy(pool, 4);
    CHECK(pool.scheduler.counts().threads == 4);
    release_all(held);
    await_threads(pool, least);
    await_idle(pool, least);
    eventually([&] { return pool.left().size() == 4 - least; });
    // Those that stay go on working, and others take the places of those that have left.
    held = occupy(pool, 4);
    CHECK(pool.thread_count() == 8 - least);
    release_all(held);
  }
}

void busy_workers_do_not_leave() {
  NativePool pool(2, KeepAlive{.time = kShort});
  std::deque<HeldTask> held = occupy(pool, 2);
  held[0].release();
  await_threads(pool, 1);
  CHECK(pool.left() == std::vector{held[0].worker});
  held[1].release();
  await_threads(pool, 0);
}

void without_keep_alive_workers_stay() {
  NativePool pool(3);
  std::deque<HeldTask> held = occupy(pool, 3);
  release_all(held);
  await_idle(pool, 3);
  pool.shutdown();
  CHECK(pool.left().size() == 3);
}

// Whatever the times at which they wake: of those that are idle, the one that slept last stays.
void the_warmest_stays() {
  for (int round = 0; round < 20; ++round) {
    NativePool pool(4, KeepAlive{.time = kShort, .min_workers = 1});
    std::deque<HeldTask> held = occupy(pool, 4);
    for (const std::size_t i : {2, 0, 3, 1}) {
      held[i].release();
      held[i].wait();
    }
    await_threads(pool, 1);
    eventually([&] { return pool.left().size() == 3; });
    for (const std::size_t number : pool.left()) CHECK(number != held[1].worker);
  }
}

// One that sleeps for ever, because no more than the minimum were there, goes first when there are
// more: here a third takes all tasks, before the one that was called for them wakes.
void one_that_outlives_its_time_is_the_first_to_go() {
  NativePool pool(3, KeepAlive{.time = kShort, .min_workers = 2});
  std::deque<HeldTask> held = occupy(pool, 2);
  release_all(held);
  await_idle(pool, 2);
  std::deque<HeldTask> tasks(3);
  FifoQueue queue;
  for (HeldTask& task : tasks) {
    task.release();
    queue.push_back(task);
  }
  const Scheduler::Pushed pushed = pool.scheduler.push_all(queue);
  CHECK(pushed.wake != nullptr);
  CHECK(pushed.grow);
  CHECK(!pool.scheduler.grow_more());
  pool.grow();
  for (HeldTask& task : tasks) task.wait();
  pushed.wake->call();
  await_threads(pool, 2);
  eventually([&] { return pool.left().size() == 1; });
  for (const HeldTask& task : tasks) {
    if (task.worker != 2) return;  // it woke for no reason, as sleepers may
  }
  CHECK(pool.left() == std::vector{held[0].worker});
}

// Invariant 6: pushes and time-outs meet, and no task stays behind.
void no_push_is_lost_to_a_worker_that_leaves(std::size_t workers, std::size_t least) {
  NativePool pool(workers, KeepAlive{.time = kShortest, .min_workers = least});
  for (int i = 0; i < 1000; ++i) {
    CountedTask task;
    task.quiet = i % 2 == 0;
    CHECK(pool.submit(task));
    task.wait();
    CHECK(task.runs.load() == 1);
    if (i % 3 == 0) boost::this_thread::yield();
  }
  await_threads(pool, least);
}

// Holds its worker between waking and looking at the queue.
struct HoldingHost : Host {
  void enter() {
    woken.store(1, std::memory_order_release);
    unpark_all(&woken);
    while (released.load(std::memory_order_acquire) == 0) (void)park(released, 0, std::nullopt);
  }
  ParkingWord woken{0}, released{0};
};

void a_push_finds_the_worker_whose_time_is_up() {
  Scheduler scheduler(2, KeepAlive{.time = kShortest});
  CountedTask first, second;
  CHECK(scheduler.push(first).grow);
  Worker seat;
  HoldingHost host;
  boost::thread thread([&] { scheduler.work(seat, host); });
  while (host.woken.load(std::memory_order_acquire) == 0) {
    (void)park(host.woken, 0, std::nullopt);
  }
  CHECK(scheduler.counts().searching == 1);
  const Scheduler::Pushed pushed = scheduler.push(second);
  CHECK(pushed.wake == nullptr);
  CHECK(!pushed.grow);
  host.released.store(1, std::memory_order_release);
  unpark_all(&host.released);
  second.wait();
  thread.join();
  CHECK(second.runs.load() == 1);
  CHECK(scheduler.counts().threads == 0);
}

void many_push_while_workers_leave() {
  constexpr std::size_t kProducers = 3, kTasks = 1500;
  std::deque<CountedTask> tasks(kTasks);
  NativePool pool(4, KeepAlive{.time = kShortest, .min_workers = 1});
  boost::thread_group producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    producers.create_thread([&, p] {
      for (std::size_t i = p; i < kTasks; i += kProducers) {
        CHECK(pool.submit(tasks[i]));
        if (i % 16 == 0) tasks[i].wait();
      }
    });
  }
  producers.join_all();
  for (CountedTask& task : tasks) task.wait();
  for (CountedTask& task : tasks) CHECK(task.runs.load() == 1);
  await_threads(pool, 1);
}

void a_close_reaches_those_that_are_leaving() {
  for (int round = 0; round < 200; ++round) {
    NativePool pool(4, KeepAlive{.time = kShortest, .min_workers = 1});
    std::deque<CountedTask> tasks(8);
    FifoQueue queue;
    for (CountedTask& task : tasks) queue.push_back(task);
    pool.follow_up_all(pool.scheduler.push_all(queue));
    if (round % 2 == 0) tasks.back().wait();
    pool.shutdown();
    CHECK(pool.scheduler.counts().threads == 0);
    for (CountedTask& task : tasks) CHECK(task.runs.load() == 1);
  }
}

void a_child_of_a_fork_keeps_its_sizes() {
  Scheduler scheduler(3, KeepAlive{.time = kLong, .min_workers = 1});
  CHECK(!scheduler.resize(2).grow);
  CountedTask first, second, third;
  CHECK(scheduler.push(first).grow);
  FifoQueue queued = scheduler.restart_in_child();
  CHECK(queued.pop_front() == &first);
  CHECK(scheduler.max_workers() == 2);
  CHECK(scheduler.push(first).grow);
  CHECK(scheduler.push(second).grow);
  CHECK(!scheduler.push(third).grow);
}

// A dismissed worker looks again whether more than the minimum are left, when it gets to it.
void one_that_was_dismissed_stays_when_the_other_has_left_meanwhile() {
  struct SlowHost : Host {
    std::atomic<bool> enters{false};
    ParkingWord open{0};
    void enter() {
      enters.store(true);
      while (open.load(std::memory_order_acquire) == 0) (void)park(open, 0, std::nullopt);
    }
    void let_in() {
      open.store(1, std::memory_order_release);
      unpark_all(&open);
    }
  };
  Scheduler scheduler(2, KeepAlive{.time = kShort, .min_workers = 1});
  std::array<Worker, 2> seats;
  std::array<SlowHost, 2> hosts;
  std::array<HeldTask, 2> tasks;
  std::array<boost::thread, 2> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(scheduler.push(tasks[i]).grow);
    threads[i] = boost::thread([&, i] { scheduler.work(seats[i], hosts[i]); });
    tasks[i].await_begin();
  }
  for (HeldTask& task : tasks) task.release();
  eventually([&] { return hosts[0].enters.load() || hosts[1].enters.load(); });
  const std::size_t dismissed = hosts[0].enters.load() ? 0 : 1;
  const std::size_t other = 1 - dismissed;
  hosts[other].let_in();
  eventually([&] { return scheduler.counts().idle == 1; });
  const Scheduler::Pushed pushed = scheduler.resize(1);
  CHECK(pushed.wake != nullptr);
  pushed.wake->call();
  threads[other].join();
  CHECK(scheduler.counts().threads == 1);
  hosts[dismissed].let_in();
  eventually([&] { return scheduler.counts().searching == 0; });
  CHECK(scheduler.counts().threads == 1);
  scheduler.close(Closed::kShutdown);
  threads[dismissed].join();
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  idle_workers_leave_but_for_the_minimum();
  one_that_was_dismissed_stays_when_the_other_has_left_meanwhile();
  busy_workers_do_not_leave();
  without_keep_alive_workers_stay();
  the_warmest_stays();
  one_that_outlives_its_time_is_the_first_to_go();
  for (const std::size_t workers : {1, 2, 4}) {
    for (const std::size_t least : {0, 1}) no_push_is_lost_to_a_worker_that_leaves(workers, least);
  }
  a_push_finds_the_worker_whose_time_is_up();
  many_push_while_workers_leave();
  a_close_reaches_those_that_are_leaving();
  a_child_of_a_fork_keeps_its_sizes();
}
