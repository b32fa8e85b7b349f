// What a queue holds: a link, to be inherited by whatever can run.
//
// The scheduler never looks inside a task; the host that embeds the scheduler (see scheduler.hpp)
// knows how to run it.  A task is in at most one queue at a time, and owns no memory for it.
#pragma once

#include <cstdint>

namespace treadle {

class Rank;

class Task {
 public:
  explicit Task(std::uint8_t kind) : kind_(kind) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // A number that the host chose, to tell its kinds of tasks apart.
  [[nodiscard]] std::uint8_t kind() const { return kind_; }

  // Whether it has a place of its own in the queue, or stands behind whoever came before; and the
  // rank, which may be there without meaning a place.  Set before it is queued.
  [[nodiscard]] bool is_ranked() const { return ranked_; }
  [[nodiscard]] Rank* rank() const { return rank_; }

 protected:
  ~Task() = default;
  void set_rank(Rank* rank, bool ranked) {
    rank_ = rank;
    ranked_ = ranked;
  }

 private:
  friend class FifoQueue;
  Task* next_ = nullptr;
  Rank* rank_ = nullptr;
  std::uint8_t kind_;
  bool ranked_ = false;
};

}  // namespace treadle
