// The scheduler with the plainest host there is: native threads, tasks that count themselves.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/thread/thread.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/scheduler.hpp"

namespace treadle::test {

struct CountedTask : Task {
  CountedTask() : Task(0) {}
  virtual ~CountedTask() = default;
  CountedTask(const CountedTask&) = delete;
  CountedTask& operator=(const CountedTask&) = delete;
  virtual void run() {}
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
    counted.run();
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
  explicit NativePool(std::size_t workers, std::optional<KeepAlive> keep_alive = std::nullopt)
      : scheduler(workers, keep_alive) {}
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
    const std::vector<std::size_t> left = this->left();
    for (; joined_ < left.size(); ++joined_) threads_[left[joined_]].join();
    Worker& seat = *seats_.emplace_back(std::make_unique<Worker>());
    threads_.emplace_back([this, &seat, number = threads_.size()] {
      Host host;
      this_worker = number;
      this_seat = &seat;
      scheduler.work(seat, host);
      const boost::lock_guard<boost::mutex> leaving(left_mutex_);
      left_.push_back(number);
    });
  }

  // What is left to do after a push of several tasks, and after a resize.
  void follow_up_all(const Scheduler::Pushed& pushed) {
    follow_up(pushed);
    while (scheduler.grow_more()) grow();
  }

  // The numbers of those that have left, in the order in which they did.
  std::vector<std::size_t> left() {
    const boost::lock_guard<boost::mutex> lock(left_mutex_);
    return left_;
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

  // Of the thread that asks: its number, in the order in which they were started, and its seat.
  static inline thread_local std::size_t this_worker = 0;
  static inline thread_local Worker* this_seat = nullptr;

  Scheduler scheduler;

 private:
  boost::mutex mutex_;
  std::deque<std::unique_ptr<Worker>> seats_;
  std::deque<boost::thread> threads_;
  boost::mutex left_mutex_;  // for threads at their end, which those that hold the other join
  std::vector<std::size_t> left_;
  std::size_t joined_ = 0;  // of those that have left
};

}  // namespace treadle::test
