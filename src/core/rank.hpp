// A task's place in a queue that is not first come, first served.
//
// Thread safety: none; belongs to the queue's owner while the task is queued, to the host before.
// Invariants:
//  1. The host owns the rank and keeps it as long as the task that refers to it.
//  2. While it is queued only the queue changes it: its place there depends on it.
//  3. The class that it refers to exists as long as the rank.
#pragma once

#include <boost/intrusive/set_hook.hpp>
#include <cstdint>
#include <limits>

namespace treadle {

class Reserve;
class Task;

// What the tasks of one class have in common, as far as a scheduler looks at it.
struct TaskClass {
  Reserve* reserve = nullptr;  // the workers that are kept for them; a task that has some is ranked
};

class Rank : public boost::intrusive::set_base_hook<
                 boost::intrusive::optimize_size<true>,
                 boost::intrusive::link_mode<boost::intrusive::safe_link>> {
 public:
  static constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

  explicit Rank(std::int64_t level, std::int64_t deadline = kNoDeadline,
                const TaskClass* common = nullptr)
      : level_(level), deadline_(deadline), class_(common) {}

  [[nodiscard]] std::int64_t level() const { return level_; }
  // Nanoseconds of the host's clock.
  [[nodiscard]] std::int64_t deadline() const { return deadline_; }
  // Whether the task would stand elsewhere without it.
  [[nodiscard]] bool matters() const {
    return level_ != 0 || deadline_ != kNoDeadline || reserve() != nullptr;
  }
  [[nodiscard]] bool is_queued() const { return task_ != nullptr; }
  [[nodiscard]] const TaskClass* task_class() const { return class_; }
  [[nodiscard]] Reserve* reserve() const { return class_ != nullptr ? class_->reserve : nullptr; }

  // The lowest level first, within a level the earliest deadline; of equals, who was first.
  friend bool operator<(const Rank& left, const Rank& right) {
    if (left.level_ != right.level_) return left.level_ < right.level_;
    return left.deadline_ < right.deadline_;
  }
  [[nodiscard]] bool was_before(const Rank& other) const { return sequence_ < other.sequence_; }

 private:
  friend class RankedTasks;
  friend class TaskQueue;

  std::int64_t level_;
  std::int64_t deadline_;
  const TaskClass* const class_;
  std::uint64_t sequence_ = 0;
  Task* task_ = nullptr;    // while queued
  Rank* before_ = nullptr;  // its neighbours among equals
  Rank* behind_ = nullptr;
};

}  // namespace treadle
