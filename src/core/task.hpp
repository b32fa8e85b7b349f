// What a queue holds: a link, to be inherited by whatever can run.
//
// The scheduler never looks inside a task; the host that embeds the scheduler (see scheduler.hpp)
// knows how to run it.  A task is in at most one queue at a time, and owns no memory for it.
#pragma once

#include <cstdint>

namespace treadle {

class Task {
 public:
  explicit Task(std::uint8_t kind) : kind_(kind) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // A number that the host chose, to tell its kinds of tasks apart.
  [[nodiscard]] std::uint8_t kind() const { return kind_; }

 protected:
  ~Task() = default;

 private:
  friend class FifoQueue;
  Task* next_ = nullptr;
  std::uint8_t kind_;
};

}  // namespace treadle
