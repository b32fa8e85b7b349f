// The scheduler's invariants (scheduler.hpp) under many threads, with 1, 2 and 8 workers.
//
// The strategy: every task counts its runs, so that one run twice or never shows; producers,
// closers and drainers race, and afterwards the tasks that were accepted are those that ran or were
// handed back.  Run under the thread and address sanitizers, too.

#include "core/scheduler.hpp"

#include <vector>

#include "check.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

using Tasks = std::vector<std::unique_ptr<CountedTask>>;

Tasks make_tasks(std::size_t count) {
  Tasks tasks(count);
  for (std::size_t i = 0; i < count; ++i) {
    tasks[i] = std::make_unique<CountedTask>();
    tasks[i]->quiet = i % 3 != 0;
  }
  return tasks;
}

void every_task_runs_once(std::size_t workers) {
  constexpr std::size_t kProducers = 4;
  const Tasks tasks = make_tasks(20000);
  NativePool pool(workers);
  boost::thread_group producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    producers.create_thread([&, p] {
      for (std::size_t i = p; i < tasks.size(); i += kProducers) CHECK(pool.submit(*tasks[i]));
    });
  }
  producers.join_all();
  for (const auto& task : tasks) task->wait();
  for (const auto& task : tasks) CHECK(task->runs.load() == 1);
  CHECK(pool.thread_count() <= workers);
}

void one_at_a_time_is_never_lost(std::size_t workers) {
  NativePool pool(workers);
  for (int i = 0; i < 5000; ++i) {
    CountedTask task;
    task.quiet = i % 2 == 0;
    CHECK(pool.submit(task));
    task.wait();
    CHECK(task.runs.load() == 1);
    // The worker still uses the task's address (not its content) to wake us: see parking_spot.hpp.
  }
}

// Invariant 4: whoever has seen an outcome finds the worker free again.
void a_free_worker_is_reused(std::size_t workers) {
  NativePool pool(workers);
  for (int i = 0; i < 2000; ++i) {
    CountedTask task;
    CHECK(pool.submit(task));
    task.wait();
  }
  CHECK(pool.thread_count() == 1);
}

// Invariant 1: refused or run, nothing in between.
void a_push_that_races_with_close_is_refused_or_run(std::size_t workers) {
  for (int round = 0; round < 200; ++round) {
    const Tasks tasks = make_tasks(64);
    std::vector<char> accepted(tasks.size(), 0);
    {
      NativePool pool(workers);
      boost::thread producer([&] {
        for (std::size_t i = 0; i < tasks.size(); ++i) accepted[i] = pool.submit(*tasks[i]) ? 1 : 0;
      });
      pool.scheduler.close(Closed::kShutdown);
      producer.join();
      pool.shutdown();
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) CHECK(tasks[i]->runs.load() == accepted[i]);
  }
}

void drained_tasks_do_not_run(std::size_t workers) {
  for (int round = 0; round < 100; ++round) {
    const Tasks tasks = make_tasks(200);
    std::size_t drained = 0;
    {
      NativePool pool(workers);
      boost::thread producer([&] {
        for (const auto& task : tasks) CHECK(pool.submit(*task));
      });
      for (int i = 0; i < 5; ++i) {
        FifoQueue queue = pool.scheduler.drain();
        while (queue.pop_front() != nullptr) ++drained;
      }
      producer.join();
      pool.shutdown();
    }
    std::size_t ran = 0;
    for (const auto& task : tasks) ran += static_cast<std::size_t>(task->runs.load());
    CHECK(ran + drained == tasks.size());
  }
}

void a_batch_is_taken_whole_or_not_at_all(std::size_t workers) {
  const Tasks tasks = make_tasks(500);
  NativePool pool(workers);
  FifoQueue batch;
  for (const auto& task : tasks) batch.push_back(*task);
  pool.follow_up_all(pool.scheduler.push_all(batch));
  CHECK(batch.empty());
  for (const auto& task : tasks) task->wait();
  pool.shutdown();
  const Tasks late = make_tasks(3);
  for (const auto& task : late) batch.push_back(*task);
  CHECK(pool.scheduler.push_all(batch).refused == Closed::kShutdown);
  CHECK(batch.size() == 3);
  while (batch.pop_front() != nullptr) {
  }
}

void a_thread_that_cannot_start_is_not_counted() {
  Scheduler scheduler(2);
  CountedTask task;
  CHECK(scheduler.push(task).grow);
  CHECK(scheduler.counts().threads == 1 && scheduler.counts().starting == 1);
  CHECK(scheduler.cancel_growth() == nullptr);
  CHECK(scheduler.counts().threads == 0 && scheduler.counts().starting == 0);
  CHECK(scheduler.withdraw([&](Task& at) { return &at == &task; }) == &task);
  CHECK(scheduler.withdraw([&](Task& at) { return &at == &task; }) == nullptr);
}

// A task that waits makes room: the pool grows beyond its size while it does, and shrinks after.
void a_blocked_worker_is_replaced() {
  NativePool pool(1);
  CountedTask first;
  CHECK(pool.submit(first));
  first.wait();
  Worker blocked;
  CHECK(!pool.scheduler.begin_block(blocked).grow);  // an idle worker is there: no need to
  CountedTask second, third;
  CHECK(pool.submit(second));
  CHECK(pool.submit(third));
  second.wait();
  third.wait();
  if (Worker* extra = pool.scheduler.end_block()) extra->call();
  pool.shutdown();
  CHECK(pool.scheduler.counts().threads == 0);
}

void later_reasons_to_close_win() {
  Scheduler scheduler(1);
  CHECK(scheduler.closed() == Closed::kNo);
  scheduler.close(Closed::kExit);
  scheduler.close(Closed::kBroken);
  scheduler.close(Closed::kShutdown);
  CHECK(scheduler.closed() == Closed::kBroken);
  CountedTask task;
  CHECK(scheduler.push(task).refused == Closed::kBroken);
}

void a_child_of_a_fork_starts_clean() {
  Scheduler scheduler(3);
  CountedTask first, second;
  CHECK(scheduler.push(first).grow);
  CHECK(scheduler.push(second).grow);
  FifoQueue queued = scheduler.restart_in_child();
  CHECK(queued.pop_front() == &first && queued.pop_front() == &second);
  const Scheduler::Counts counts = scheduler.counts();
  CHECK(counts.threads == 0 && counts.idle == 0 && counts.searching == 0 && counts.starting == 0 &&
        counts.queued == 0);
  CHECK(scheduler.push(first).grow);
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  for (const std::size_t workers : {1, 2, 8}) {
    every_task_runs_once(workers);
    one_at_a_time_is_never_lost(workers);
    a_free_worker_is_reused(workers);
    a_push_that_races_with_close_is_refused_or_run(workers);
    drained_tasks_do_not_run(workers);
    a_batch_is_taken_whole_or_not_at_all(workers);
  }
  a_thread_that_cannot_start_is_not_counted();
  a_blocked_worker_is_replaced();
  later_reasons_to_close_win();
  a_child_of_a_fork_starts_clean();
}
