// Reserves under many threads: nothing is lost, and a flood is never more than it may be.
//
// The strategy: tasks count how many run beside each other, while reserves, blocks, and sizes come
// and go.  Run under the sanitizers, too.

#include <random>

#include "check.hpp"
#include "class_task.hpp"
#include "native_pool.hpp"

namespace treadle::test {
namespace {

constexpr std::size_t kMany = 3000;

// Counts who runs beside whom.
struct CountingTask : CountedTask {
  void run() override {
    std::atomic<int>& mine = reserved ? *running_kept : *running_shared;
    const int now = mine.fetch_add(1) + 1;
    if (!reserved) CHECK(now <= most_shared);
    for (int i = 0; i < spins; ++i) boost::this_thread::yield();
    mine.fetch_sub(1);
  }
  std::unique_ptr<Rank> own;
  std::atomic<int>*running_kept = nullptr, *running_shared = nullptr;
  bool reserved = false;
  int most_shared = 0, spins = 0;
};

// Threads of a flood and of a class submit as fast as they can: the flood is never too many.
void a_flood_is_never_more_than_the_rest(bool quiet) {
  constexpr int kWorkers = 4, kKept = 2;
  std::atomic<int> running_kept{0}, running_shared{0};
  std::deque<CountingTask> tasks(2 * kMany);
  NativePool pool(kWorkers);
  TaskClass kept = open(pool, kKept);
  boost::thread_group producers;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    CountingTask& task = tasks[i];
    task.running_kept = &running_kept;
    task.running_shared = &running_shared;
    task.reserved = i % 2 != 0;
    task.most_shared = kWorkers - kKept;
    task.spins = static_cast<int>(i % 3);
    task.quiet = quiet || i % 5 != 0;
    if (!task.reserved) continue;
    task.own = std::make_unique<Rank>(static_cast<std::int64_t>(i % 4), Rank::kNoDeadline, &kept);
    struct Ranked : CountingTask {
      using CountingTask::set_rank;
    };
    static_cast<Ranked&>(task).set_rank(task.own.get(), true);
  }
  for (std::size_t p = 0; p < 2; ++p) {
    producers.create_thread([&, p] {
      for (std::size_t i = p; i < tasks.size(); i += 2) CHECK(pool.submit(tasks[i]));
    });
  }
  producers.join_all();
  for (CountingTask& task : tasks) task.wait();
  for (CountingTask& task : tasks) CHECK(task.runs.load() == 1);
  pool.follow_up_all(pool.scheduler.close_reserve(*kept.reserve));
  pool.scheduler.forget_reserve(*kept.reserve);
}

// Reserves come and go while tasks of theirs and others run, block, and the pool changes its size.
void reserves_race_with_everything() {
  constexpr std::size_t kThreads = 3;
  NativePool pool(4);
  boost::thread_group threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.create_thread([&, t] {
      std::mt19937 random(static_cast<unsigned>(20261121 + t));
      for (std::size_t round = 0; round < 150; ++round) {
        Reserve* reserve = pool.scheduler.open_reserve(1 + random() % 2);
        const TaskClass kept{.reserve = reserve};
        std::deque<ClassTask> tasks(6);
        for (std::size_t i = 0; i < tasks.size(); ++i) {
          if (i % 2 != 0) tasks[i].belong_to(kept, static_cast<std::int64_t>(random() % 3));
          tasks[i].quiet = random() % 2 != 0;
          tasks[i].release();
          CHECK(pool.submit(tasks[i]));
        }
        if (random() % 4 == 0) pool.follow_up_all(pool.scheduler.resize(3 + random() % 3));
        const bool early = random() % 2 != 0;
        if (early && reserve != nullptr) pool.follow_up_all(pool.scheduler.close_reserve(*reserve));
        for (ClassTask& task : tasks) task.wait();
        if (reserve != nullptr) {
          if (!early) pool.follow_up_all(pool.scheduler.close_reserve(*reserve));
          pool.scheduler.forget_reserve(*reserve);
        }
      }
    });
  }
  threads.join_all();
  CHECK(pool.scheduler.reserved() == 0);
  CHECK(pool.scheduler.counts().queued == 0);
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  for (const bool quiet : {true, false}) a_flood_is_never_more_than_the_rest(quiet);
  reserves_race_with_everything();
}
