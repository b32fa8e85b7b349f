// The queue of a scheduler: first come, first served, until a task comes with a rank.
//
// Tasks without rank stand in a list, in constant time and without memory; they count as tasks of
// level 0 without deadline.  Ranked ones stand in a tree inside of their ranks: one more and one
// less costs the logarithm of their number, the last in order nearly nothing, and any can be taken
// out without a walk.
//
// Thread safety: none; the scheduler guards it with its mutex.
// Invariants:
//  1. Tasks leave in the order of (level, deadline, submission).
//  2. No ranked task is equal to those without rank: the host ranks all tasks of level 0 without
//     deadline, or none.  So which of two equals came first is never asked across the two.
//  3. A task that has left may enter another queue at once.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstddef>
#include <cstdint>

#include "core/fifo_queue.hpp"
#include "core/rank.hpp"

namespace treadle {

class TaskQueue {
 public:
  [[nodiscard]] bool empty() const { return plain_.empty() && ranked_.empty(); }
  [[nodiscard]] std::size_t size() const { return plain_.size() + ranked_.size(); }

  void push_back(Task& task) {
    if (task.is_ranked()) [[unlikely]] {
      insert(task);
    } else {
      plain_.push_back(task);
    }
  }

  // Puts all of `tasks`, in their order, behind what is here; `tasks` is empty afterwards.
  void append(FifoQueue& tasks) {
    if (tasks.empty() || !tasks.front()->is_ranked()) {
      plain_.append(tasks);  // ranked are all or none
      return;
    }
    while (Task* task = tasks.pop_front()) insert(*task);
  }

  // The first task in order, or null.
  Task* pop_front() {
    if (!ranked_.empty()) [[unlikely]]
      return pop_first();
    return plain_.pop_front();
  }

  // Takes out a ranked task; false when it is not in the queue.
  bool remove(Task& task) {
    if (!task.is_ranked() || task.rank()->task_ != &task) return false;
    (void)take(*task.rank());
    return true;
  }

  // Gives a ranked task that is in the queue another level, behind those that have it already;
  // false when it is not in the queue.
  bool move(Task& task, std::int64_t level) {
    if (!remove(task)) return false;
    task.rank()->level_ = level;
    insert(task);
    return true;
  }

  // Takes out the first task, in order of submission among those without rank and then in order,
  // that `wanted` accepts; null when there is none.  Walks the queue.
  template <class Wanted>
  Task* remove_first(Wanted wanted) {
    if (Task* task = plain_.remove_first(wanted)) return task;
    for (Rank& rank : ranked_) {
      if (wanted(*rank.task_)) return take(rank);
    }
    return nullptr;
  }

  // Takes out, of the tasks that `wanted` accepts, the oldest among the least urgent: those of the
  // highest level.  Null when there is none.  Walks the queue.
  template <class Wanted>
  Task* remove_oldest(Wanted wanted) {
    Rank* oldest = nullptr;
    for (auto at = ranked_.rbegin(); at != ranked_.rend(); ++at) {
      if (oldest != nullptr && at->level() != oldest->level()) break;
      if (!wanted(*at->task_)) continue;
      if (oldest == nullptr || at->sequence_ < oldest->sequence_) oldest = &*at;
    }
    if (oldest == nullptr || oldest->level() <= 0) {
      if (Task* plain = plain_.remove_first(wanted)) return plain;
    }
    return oldest != nullptr ? take(*oldest) : nullptr;
  }

  // Takes out all tasks that `wanted` accepts, in the order of `remove_first`.  Walks the queue.
  template <class Wanted>
  FifoQueue remove_all(Wanted wanted) {
    FifoQueue removed = plain_.remove_all(wanted);
    for (auto at = ranked_.begin(); at != ranked_.end();) {
      Rank& rank = *at++;
      if (wanted(*rank.task_)) removed.push_back(*take(rank));
    }
    return removed;
  }

  // Everything, in order.
  FifoQueue drain() {
    FifoQueue drained;
    if (ranked_.empty()) drained.swap(plain_);
    while (Task* task = pop_front()) drained.push_back(*task);
    return drained;
  }

 private:
  using Tree = boost::intrusive::set<Rank, boost::intrusive::constant_time_size<true>>;

  static bool precedes_plain(const Rank& rank) {
    return rank.level() < 0 || (rank.level() == 0 && rank.deadline() != Rank::kNoDeadline);
  }

  // Not inline, here and below: the plain way shall stay as short as it is without them.
  void insert(Task& task);
  Task* pop_first();
  Task* take(Rank& rank);

  FifoQueue plain_;
  Tree ranked_;
  std::uint64_t next_ = 0;
};

}  // namespace treadle
