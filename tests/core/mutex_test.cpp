// The mutex under contention, and in the place where nobody waits.

#include "core/mutex.hpp"

#include <thread>
#include <vector>

#include "check.hpp"

namespace treadle::test {
namespace {

class Guarded {
 public:
  void add() TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++sum_;
    if (sum_ % 64 == 0) std::this_thread::yield();  // the others find it held
  }
  [[nodiscard]] long sum() TREADLE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return sum_;
  }
  void free_in_child() { mutex_.reset_after_fork(); }
  void hold() TREADLE_ACQUIRE(mutex_) { mutex_.lock(); }
  void let_go() TREADLE_RELEASE(mutex_) { mutex_.unlock(); }

 private:
  Mutex mutex_;
  long sum_ TREADLE_GUARDED_BY(mutex_) = 0;
};

void no_increment_is_lost() {
  constexpr int kThreads = 8, kTimes = 20000;
  Guarded guarded;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&guarded] {
      for (int k = 0; k < kTimes; ++k) guarded.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(guarded.sum() == long{kThreads} * kTimes);
}

void whoever_sleeps_is_woken() {
  for (int i = 0; i < 200; ++i) {
    Guarded guarded;
    guarded.hold();
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int k = 0; k < 3; ++k) threads.emplace_back([&guarded] { guarded.add(); });
    if (i % 2 == 0) std::this_thread::yield();
    guarded.let_go();
    for (std::thread& thread : threads) thread.join();
    CHECK(guarded.sum() == 3);
  }
}

TREADLE_THREAD_ANNOTATION(no_thread_safety_analysis)
void a_lock_that_was_held_over_a_fork_is_free_again() {
  Guarded guarded;
  guarded.hold();
  guarded.free_in_child();
  guarded.add();
  CHECK(guarded.sum() == 1);
}

}  // namespace
}  // namespace treadle::test

int main() {
  treadle::test::no_increment_is_lost();
  treadle::test::whoever_sleeps_is_woken();
  treadle::test::a_lock_that_was_held_over_a_fork_is_free_again();
  return 0;
}
