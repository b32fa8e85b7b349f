// Tasks that last as long as a test wants, and the wait for what has to happen then.
#pragma once

#include "check.hpp"
#include "native_pool.hpp"

namespace treadle::test {

// A task that lasts until it is let go.
struct HeldTask : CountedTask {
  ParkingWord begun{0}, released{0};
  std::size_t worker = 0;  // which, and its seat
  Worker* seat = nullptr;

  void run() override {
    worker = NativePool::this_worker;
    seat = NativePool::this_seat;
    begun.store(1, std::memory_order_release);
    unpark_all(&begun);
    while (released.load(std::memory_order_acquire) == 0) (void)park(released, 0, std::nullopt);
  }
  void await_begin() {
    while (begun.load(std::memory_order_acquire) == 0) (void)park(begun, 0, std::nullopt);
  }
  void release() {
    released.store(1, std::memory_order_release);
    unpark_all(&released);
  }
};

template <class Condition>
void eventually(Condition condition) {
  const Clock::time_point limit = Clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    CHECK(Clock::now() < limit);
    boost::this_thread::yield();
  }
}

inline void await_threads(NativePool& pool, std::size_t count) {
  eventually([&] { return pool.scheduler.counts().threads == count; });
}

inline void await_idle(NativePool& pool, std::size_t count) {
  eventually([&] { return pool.scheduler.counts().idle == count; });
}

// `count` workers, each of them in a task of its own.
inline std::deque<HeldTask> occupy(NativePool& pool, std::size_t count) {
  std::deque<HeldTask> tasks(count);
  for (HeldTask& task : tasks) {
    CHECK(pool.submit(task));
    task.await_begin();
  }
  return tasks;
}

// One by one: a worker is idle before its outcome is visible, so they fall asleep in this order.
inline void release_all(std::deque<HeldTask>& tasks) {
  for (HeldTask& task : tasks) {
    task.release();
    task.wait();
  }
}

}  // namespace treadle::test
