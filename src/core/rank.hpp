// A task's place in a queue that is not first come, first served.
//
// Thread safety: none; belongs to the queue's owner while the task is queued, to the host before.
// Invariants:
//  1. The host owns the rank and keeps it as long as the task that refers to it.
//  2. While it is queued only the queue changes it: the tree is sorted by it.
#pragma once

#include <boost/intrusive/set_hook.hpp>
#include <cstdint>
#include <limits>

namespace treadle {

class Task;

class Rank : public boost::intrusive::set_base_hook<
                 boost::intrusive::optimize_size<true>,
                 boost::intrusive::link_mode<boost::intrusive::normal_link>> {
 public:
  static constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

  explicit Rank(std::int64_t level, std::int64_t deadline = kNoDeadline)
      : level_(level), deadline_(deadline) {}

  [[nodiscard]] std::int64_t level() const { return level_; }
  // Nanoseconds of the host's clock.
  [[nodiscard]] std::int64_t deadline() const { return deadline_; }
  [[nodiscard]] bool is_queued() const { return task_ != nullptr; }

  // The lowest level first, within a level the earliest deadline, and then who was first.
  friend bool operator<(const Rank& left, const Rank& right) {
    if (left.level_ != right.level_) return left.level_ < right.level_;
    if (left.deadline_ != right.deadline_) return left.deadline_ < right.deadline_;
    return left.sequence_ < right.sequence_;
  }

 private:
  friend class TaskQueue;

  std::int64_t level_;
  std::int64_t deadline_;
  std::uint64_t sequence_ = 0;
  Task* task_ = nullptr;  // while queued
};

}  // namespace treadle
