// The queue of a scheduler: first come, first served, until a task comes with a rank.
//
// Tasks without rank stand in a list, in constant time and without memory; they count as tasks of
// level 0 without deadline.  Ranked ones stand in the order of their ranks (ranked_tasks.hpp),
// those that have a reserve there, in an order of its own.
//
// Thread safety: none; the scheduler guards it with its mutex.
// Invariants:
//  1. Tasks leave in the order of (level, deadline, submission).
//  2. Which of two equals came first is not known across ranked ones and those without rank, which
//     go first.  It is asked only for tasks of a reserve: apart from these, the host ranks all
//     tasks of level 0 without deadline, or none.
//  3. A task that has left may enter another queue at once.
//  4. Where there are reserves the scheduler says how many tasks may start without one that is kept
//     for them (`pop_startable`); nothing else depends on whether a task may start.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/fifo_queue.hpp"
#include "core/ranked_tasks.hpp"
#include "core/reserve.hpp"

namespace treadle {

class TaskQueue {
 public:
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return plain_.size() + ranked_.size() + reserved_; }
  [[nodiscard]] Reserves& reserves() { return reserves_; }
  [[nodiscard]] const Reserves& reserves() const { return reserves_; }

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
    if (!ranked_.empty() || reserved_ != 0) [[unlikely]]
      return pop_first();
    return plain_.pop_front();
  }
  // The first task in order that may start, or null: one for which a worker is kept or, as long as
  // `shared` is not 0, any.  And how many may.
  Task* pop_startable(std::size_t shared);
  [[nodiscard]] std::size_t startable(std::size_t shared) const;

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
    Rank* found = nullptr;
    for_each_place([&](RankedTasks& place) {
      if (found == nullptr) found = place.find_first(accepts(wanted));
    });
    return found != nullptr ? take(*found) : nullptr;
  }

  // Takes out, of the tasks that `wanted` accepts, the oldest among the least urgent: those of the
  // highest level.  Null when there is none.  Walks the queue.
  template <class Wanted>
  Task* remove_oldest(Wanted wanted) {
    Rank* oldest = nullptr;
    for_each_place([&](RankedTasks& place) {
      Rank* found = place.find_oldest(accepts(wanted));
      if (found == nullptr) return;
      const bool replaces = oldest == nullptr || found->level() > oldest->level() ||
                            (found->level() == oldest->level() && found->was_before(*oldest));
      if (replaces) oldest = found;
    });
    if (oldest == nullptr || oldest->level() <= 0) {
      if (Task* plain = plain_.remove_first(wanted)) return plain;
    }
    return oldest != nullptr ? take(*oldest) : nullptr;
  }

  // Takes out all tasks that `wanted` accepts, in the order of `remove_first`.  Walks the queue.
  template <class Wanted>
  FifoQueue remove_all(Wanted wanted) {
    FifoQueue removed = plain_.remove_all(wanted);
    for_each_place([&](RankedTasks& place) {
      place.for_each([&](Rank& rank) {
        if (wanted(*rank.task_)) removed.push_back(*take(rank));
      });
    });
    return removed;
  }

  // Everything, in order.
  FifoQueue drain() {
    FifoQueue drained;
    if (ranked_.empty() && reserved_ == 0) drained.swap(plain_);
    while (Task* task = pop_front()) drained.push_back(*task);
    return drained;
  }

 private:
  static bool precedes_plain(const Rank& rank) {
    return rank.level() < 0 || (rank.level() == 0 && rank.deadline() != Rank::kNoDeadline);
  }

  // Where the task of this rank stands, or shall stand.
  RankedTasks& place_of(const Rank& rank) {
    return rank.reserve() != nullptr ? rank.reserve()->waiting_ : ranked_;
  }
  template <class Visit>
  void for_each_place(Visit visit) {
    visit(ranked_);
    for (Reserve& reserve : reserves_.used_) visit(reserve.waiting_);
  }
  template <class Wanted>
  static auto accepts(Wanted& wanted) {
    return [&wanted](const Rank& rank) { return wanted(*rank.task_); };
  }

  // Not inline, here and below: the plain way shall stay as short as it is without them.
  void insert(Task& task);
  Task* pop_first();
  Task* take(Rank& rank);

  FifoQueue plain_;
  RankedTasks ranked_;
  Reserves reserves_;
  std::size_t reserved_ = 0;  // tasks in the reserves
  std::uint64_t next_ = 0;
};

}  // namespace treadle
