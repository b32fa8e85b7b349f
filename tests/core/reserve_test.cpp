// Workers that are kept for some tasks: who may start when, and that nothing is lost or held back.
//
// The strategy: held tasks put every worker where it should be; what then may start is waited for,
// and what may not is seen not to have started when every worker that could is idle or held.  Run
// under the sanitizers, too.

#include "check.hpp"
#include "class_task.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

void submit_all(NativePool& pool, std::deque<ClassTask>& tasks) {
  for (ClassTask& task : tasks) CHECK(pool.submit(task));
}

std::size_t begun(const std::deque<ClassTask>& tasks) {
  std::size_t count = 0;
  for (const ClassTask& task : tasks) count += task.begun.load(std::memory_order_acquire);
  return count;
}

void end_all(std::deque<ClassTask>& tasks) {
  for (ClassTask& task : tasks) task.release();
  for (ClassTask& task : tasks) task.wait();
}

void a_flood_leaves_what_is_kept() {
  NativePool pool(4);
  const TaskClass kept = open(pool, 2);
  std::deque<ClassTask> flood(10), urgent(2);
  for (ClassTask& task : urgent) task.belong_to(kept, 100);  // last in order, and still at once
  submit_all(pool, flood);
  eventually([&] { return begun(flood) == 2; });
  submit_all(pool, urgent);
  for (ClassTask& task : urgent) task.await_begin();
  CHECK(begun(flood) == 2 && pool.thread_count() == 4);
  end_all(urgent);
  await_idle(pool, 2);
  CHECK(begun(flood) == 2);  // idle workers, and eight that wait
  end_all(flood);
}

// Those who use more than is kept for them leave alone what is kept for others.
void two_reserves_are_kept_apart() {
  NativePool pool(4);
  const TaskClass one = open(pool, 1), another = open(pool, 1);
  std::deque<ClassTask> first(4), second(1), flood(1);
  for (ClassTask& task : first) task.belong_to(one);
  second[0].belong_to(another);
  submit_all(pool, first);
  eventually([&] { return begun(first) == 3; });
  submit_all(pool, flood);
  CHECK(!pool.scheduler.grow_more());
  submit_all(pool, second);
  second[0].await_begin();
  CHECK(begun(first) == 3 && begun(flood) == 0);
  end_all(second);
  end_all(first);
  end_all(flood);
}

void what_may_not_start_wants_no_thread() {
  NativePool pool(4);
  (void)open(pool, 2);
  std::deque<ClassTask> flood(5);
  CHECK(pool.submit(flood[0]));
  flood[0].await_begin();
  CHECK(!pool.scheduler.grow_more());
  for (std::size_t i = 1; i < flood.size(); ++i) CHECK(pool.submit(flood[i]));
  flood[1].await_begin();
  CHECK(pool.thread_count() == 2 && !pool.scheduler.grow_more());
  end_all(flood);
}

// One ends, one begins: of the others, first those of the flood, which are first in order.
void beyond_its_reserve_a_task_waits_for_its_turn() {
  NativePool pool(3);
  const TaskClass kept = open(pool, 1);
  std::deque<ClassTask> flood(3), own(2);
  for (ClassTask& task : own) task.belong_to(kept);
  submit_all(pool, flood);
  submit_all(pool, own);
  eventually([&] { return begun(flood) == 2 && begun(own) == 1; });
  flood[0].release();
  flood[2].await_begin();
  flood[0].wait();
  CHECK(begun(own) == 1);
  flood[1].release();
  own[1].await_begin();
  end_all(own);
  end_all(flood);
}

// The other way round: two run, one of them in the place of one of the flood.
void one_that_ends_makes_room_for_whoever_is_first() {
  NativePool pool(2);
  const TaskClass kept = open(pool, 1);
  std::deque<ClassTask> flood(1), own(2);
  for (ClassTask& task : own) task.belong_to(kept);
  submit_all(pool, own);
  eventually([&] { return begun(own) == 2; });
  submit_all(pool, flood);
  own[0].release();
  flood[0].await_begin();
  end_all(own);
  end_all(flood);
}

void the_order_among_those_that_may_start_is_the_queues() {
  NativePool pool(2);
  const TaskClass kept = open(pool, 1);
  std::deque<ClassTask> first(2), waiting(4);
  first[0].belong_to(kept);
  submit_all(pool, first);
  eventually([&] { return begun(first) == 2; });
  waiting[0].rank(5);
  waiting[1].belong_to(kept, 3);
  waiting[2].rank(-1);
  waiting[3].belong_to(kept, -1);
  submit_all(pool, waiting);
  first[1].release();  // the worker that none is kept for is free
  for (const std::size_t next : {2, 3, 1, 0}) {
    waiting[next].await_begin();
    CHECK(begun(waiting) == 1);
    waiting[next].release();
    waiting[next].wait();
    waiting[next].begun.store(0);
  }
  end_all(first);
}

void when_it_ends_others_take_its_workers() {
  NativePool pool(3);
  TaskClass kept = open(pool, 2);
  std::deque<ClassTask> flood(4), own(1);
  own[0].belong_to(kept);
  submit_all(pool, own);
  own[0].await_begin();
  submit_all(pool, flood);
  eventually([&] { return begun(flood) == 1; });
  pool.follow_up_all(pool.scheduler.close_reserve(*kept.reserve));
  eventually([&] { return begun(flood) == 2; });
  CHECK(pool.thread_count() == 3);
  end_all(own);
  eventually([&] { return begun(flood) == 3; });
  pool.scheduler.forget_reserve(*kept.reserve);
  CHECK(pool.scheduler.reserved() == 0);
  end_all(flood);
}

void somebody_is_left_for_the_others() {
  NativePool pool(4);
  CHECK(pool.scheduler.open_reserve(4) == nullptr);
  const TaskClass kept = open(pool, 2);
  CHECK(pool.scheduler.open_reserve(2) == nullptr);
  (void)open(pool, 1);
  CHECK(pool.scheduler.reserved() == 3);
  CHECK(pool.scheduler.open_reserve(1) == nullptr);
  // The host does not shrink it so far; if it does, nothing is stuck.
  pool.follow_up_all(pool.scheduler.resize(2));
  std::deque<ClassTask> flood(3), own(3);
  for (ClassTask& task : own) task.belong_to(kept);
  submit_all(pool, flood);
  submit_all(pool, own);
  end_all(flood);
  end_all(own);
}

// A blocked worker counts neither as one of those kept nor as one of the rest.
void a_blocked_worker_holds_no_place() {
  NativePool pool(2);
  const TaskClass kept = open(pool, 1);
  std::deque<ClassTask> flood(2), own(2);
  for (ClassTask& task : own) task.belong_to(kept);
  submit_all(pool, flood);
  submit_all(pool, own);
  eventually([&] { return begun(flood) == 1 && begun(own) == 1; });
  pool.follow_up(pool.scheduler.begin_block(*own[0].seat));
  own[1].await_begin();
  CHECK(begun(flood) == 1);
  pool.follow_up(pool.scheduler.begin_block(*flood[0].seat));
  flood[1].await_begin();
  for (int i = 0; i < 2; ++i) {
    if (Worker* extra = pool.scheduler.end_block()) extra->call();
  }
  end_all(own);
  end_all(flood);
  await_threads(pool, 2);
}

// A reserve comes while tasks that can be cut short hold all workers: as many stop as it needs.
void long_tasks_make_room() {
  NativePool pool(4);
  std::deque<ClassTask> flood(4), own(1);
  submit_all(pool, flood);
  eventually([&] { return begun(flood) == 4; });
  const std::uint32_t shrinks = pool.scheduler.shrinks();
  const TaskClass kept = open(pool, 2);
  CHECK(pool.scheduler.shrinks() != shrinks);
  own[0].belong_to(kept);
  submit_all(pool, own);
  CHECK(pool.scheduler.give_up_seat(*flood[0].seat));
  CHECK(!pool.scheduler.give_up_seat(*flood[0].seat));
  CHECK(pool.scheduler.give_up_seat(*flood[1].seat));
  CHECK(!pool.scheduler.give_up_seat(*flood[2].seat));
  flood[0].release();
  own[0].await_begin();
  end_all(own);
  end_all(flood);
  CHECK(pool.scheduler.counts().threads == 4);  // nobody left
}

void a_closed_scheduler_runs_what_waits() {
  std::deque<ClassTask> flood(5), own(5);
  NativePool pool(3);
  const TaskClass kept = open(pool, 1);
  for (ClassTask& task : own) task.belong_to(kept);
  submit_all(pool, flood);
  submit_all(pool, own);
  eventually([&] { return begun(flood) == 2 && begun(own) == 1; });
  pool.scheduler.close(Closed::kShutdown);
  end_all(flood);
  end_all(own);
  pool.shutdown();
  CHECK(pool.scheduler.counts().threads == 0);
}

// As it is there: the one thread that exists runs a task, and is the scheduler's no more.
void a_child_of_a_fork_keeps_the_reserve_and_forgets_who_ran() {
  NativePool pool(2);
  const TaskClass kept = open(pool, 1);
  std::deque<ClassTask> before(1), flood(2), own(1);
  before[0].belong_to(kept);
  own[0].belong_to(kept);
  submit_all(pool, before);
  before[0].await_begin();
  CHECK(pool.scheduler.restart_in_child().pop_front() == nullptr);
  Scheduler::orphan(*before[0].seat);
  CHECK(pool.scheduler.reserved() == 1);
  submit_all(pool, flood);
  flood[0].await_begin();
  CHECK(!pool.scheduler.grow_more());
  submit_all(pool, own);
  own[0].await_begin();
  CHECK(begun(flood) == 1);
  end_all(before);
  end_all(own);
  end_all(flood);
}

// The same thread, in a task whose reserve has no tasks any more: it is not spare yet.
struct ForgettingTask : ClassTask {
  void run() override {
    of->forget_reserve(*reserve);
    CHECK(of->open_reserve(1) != reserve);
  }
  Scheduler* of = nullptr;
  Reserve* reserve = nullptr;
};

void a_reserve_is_not_used_again_while_a_worker_is_in_it() {
  NativePool pool(2);
  const TaskClass kept = open(pool, 1);
  ForgettingTask task;
  task.belong_to(kept);
  task.of = &pool.scheduler;
  task.reserve = kept.reserve;
  CHECK(pool.submit(task));
  task.wait();
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  a_flood_leaves_what_is_kept();
  two_reserves_are_kept_apart();
  what_may_not_start_wants_no_thread();
  beyond_its_reserve_a_task_waits_for_its_turn();
  one_that_ends_makes_room_for_whoever_is_first();
  the_order_among_those_that_may_start_is_the_queues();
  when_it_ends_others_take_its_workers();
  somebody_is_left_for_the_others();
  a_blocked_worker_holds_no_place();
  long_tasks_make_room();
  a_closed_scheduler_runs_what_waits();
  a_child_of_a_fork_keeps_the_reserve_and_forgets_who_ran();
  a_reserve_is_not_used_again_while_a_worker_is_in_it();
}
