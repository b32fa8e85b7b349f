// The scheduler with the plainest host there is: native threads, tasks that count themselves.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/thread/thread.hpp>
#include <deque>
#include <memory>

#include "core/scheduler.hpp"

namespace treadle::test {

struct CountedTask : Task {
  CountedTask() : Task(0) {}
  std::atomic<int> runs{0};
  ParkingWord done{0};
  bool quiet = true;

  void wait() {
    while (done.load(std::memory_order_acquire) == 0) (void)park(done, 0, std::nullopt);
  }
};

// Counts how many threads are between waking and taking a task.
struct Host {
  bool run(Task& task) {
    auto& counted = static_cast<CountedTask&>(task);
    counted.runs.fetch_add(1, std::memory_order_relaxed);
    return counted.quiet;
  }
  const ParkingWord* announce(Task& task) {
    auto& counted = static_cast<CountedTask&>(task);
    counted.done.store(1, std::memory_order_release);
    return &counted.done;
  }
  void took(Task&) {}
  void leave() {}
  void enter() {}
};

class NativePool {
 public:
  explicit NativePool(std::size_t workers) : scheduler(workers) {}
  ~NativePool() { shutdown(); }
  NativePool(const NativePool&) = delete;
  NativePool& operator=(const NativePool&) = delete;

  bool submit(Task& task) {
    const Scheduler::Pushed pushed = scheduler.push(task);
    follow_up(pushed);
    return pushed.refused == Closed::kNo;
  }

  void follow_up(const Scheduler::Pushed& pushed) {
    if (pushed.wake != nullptr) pushed.wake->call();
    if (pushed.grow) grow();
  }

  void grow() {
    const boost::lock_guard<boost::mutex> lock(mutex_);
    Worker& seat = *seats_.emplace_back(std::make_unique<Worker>());
    threads_.emplace_back([this, &seat] {
      Host host;
      scheduler.work(seat, host);
    });
  }

  std::size_t thread_count() {
    const boost::lock_guard<boost::mutex> lock(mutex_);
    return threads_.size();
  }

  void shutdown() {
    scheduler.close(Closed::kShutdown);
    const boost::lock_guard<boost::mutex> lock(mutex_);
    for (boost::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  Scheduler scheduler;

 private:
  boost::mutex mutex_;
  std::deque<std::unique_ptr<Worker>> seats_;
  std::deque<boost::thread> threads_;
};

}  // namespace treadle::test
