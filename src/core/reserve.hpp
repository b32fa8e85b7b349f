// Workers that are kept for some tasks, so that a flood of others cannot take them all.
//
// A task that has a reserve waits there, and may start when one of the workers kept for it is not
// in use; beyond that it competes for the others with the rest of the tasks, in their order.
//
// Thread safety: none; belongs to a scheduler, which guards it with its mutex.
// Invariants:
//  1. `running` counts the workers that run one of its tasks and are not blocked in it.
//  2. A reserve ends in two steps: nobody submits to it any more, `workers` is 0; and no task
//     refers to it any more: once the last worker has let go of it, it is spare.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <memory>

#include "core/ranked_tasks.hpp"

namespace treadle {

class Reserve : public boost::intrusive::list_base_hook<> {
 private:
  friend class Reserves;
  friend class TaskQueue;

  // How many more of its tasks the workers that are kept for it can run.
  [[nodiscard]] std::size_t free() const { return workers_ > running_ ? workers_ - running_ : 0; }

  std::size_t workers_ = 0;
  std::size_t running_ = 0;
  bool forgotten_ = false;  // no task refers to it
  RankedTasks waiting_;
};

// All reserves of a scheduler.
class Reserves {
 public:
  Reserves() = default;
  ~Reserves();
  Reserves(const Reserves&) = delete;
  Reserves& operator=(const Reserves&) = delete;

  [[nodiscard]] bool empty() const { return used_.empty(); }
  // How many workers are kept, and how many of these are running the tasks that they are kept for.
  [[nodiscard]] std::size_t kept() const { return kept_; }
  [[nodiscard]] std::size_t kept_in_use() const;

  // Keeps workers for tasks that will refer to what this returns: a spare one, or `fresh`.
  Reserve& open(std::size_t workers, std::unique_ptr<Reserve>& fresh);
  // Keeps no workers any more.
  void close(Reserve& reserve);
  // No task refers to it any more.
  void forget(Reserve& reserve);

  void began(Reserve& reserve) { ++reserve.running_; }
  void ended(Reserve& reserve) {
    --reserve.running_;
    set_aside_if_over(reserve);
  }
  // In the child of a fork: nothing runs there.
  void forget_running();

 private:
  friend class TaskQueue;
  using List = boost::intrusive::list<Reserve>;

  void set_aside_if_over(Reserve& reserve);

  List used_, spare_;
  std::size_t kept_ = 0;
};

}  // namespace treadle
