// An intrusive first-in-first-out queue of tasks: no allocation, one pointer a task.
//
// Thread safety: none; the scheduler guards it with its mutex.
// Invariants:
//  1. `size_` tasks are linked from `head_` to `tail_`, oldest first; both null when empty.
//  2. A task that leaves has a null link: it may enter another queue at once.
#pragma once

#include <cstddef>
#include <utility>

#include "core/task.hpp"

namespace treadle {

class FifoQueue {
 public:
  FifoQueue() = default;
  FifoQueue(FifoQueue&& other) noexcept { swap(other); }
  FifoQueue& operator=(FifoQueue&&) = delete;

  [[nodiscard]] bool empty() const { return head_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The oldest task, or null.
  [[nodiscard]] Task* front() const { return head_; }

  void push_back(Task& task) {
    (tail_ != nullptr ? tail_->next_ : head_) = &task;
    tail_ = &task;
    ++size_;
  }

  // Puts all of `other`, in its order, behind what is here; `other` is empty afterwards.
  void append(FifoQueue& other) {
    if (other.empty()) return;
    (tail_ != nullptr ? tail_->next_ : head_) = other.head_;
    tail_ = other.tail_;
    size_ += other.size_;
    other.head_ = other.tail_ = nullptr;
    other.size_ = 0;
  }

  // The oldest task, or null.
  Task* pop_front() {
    Task* task = head_;
    if (task == nullptr) return nullptr;
    head_ = std::exchange(task->next_, nullptr);
    if (head_ == nullptr) tail_ = nullptr;
    --size_;
    return task;
  }

  // Takes out the oldest task that `wanted` accepts; null when there is none.  Walks the queue.
  template <class Wanted>
  Task* remove_first(Wanted wanted) {
    Task* before = nullptr;
    for (Task* at = head_; at != nullptr; before = at, at = at->next_) {
      if (!wanted(*at)) continue;
      (before != nullptr ? before->next_ : head_) = std::exchange(at->next_, nullptr);
      if (tail_ == at) tail_ = before;
      --size_;
      return at;
    }
    return nullptr;
  }

  // Takes out every task that `wanted` accepts, in order.  Walks the queue.
  template <class Wanted>
  FifoQueue remove_all(Wanted wanted) {
    FifoQueue kept;
    FifoQueue removed;
    while (Task* task = pop_front()) (wanted(*task) ? removed : kept).push_back(*task);
    swap(kept);
    return removed;
  }

  void swap(FifoQueue& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
  }

 private:
  Task* head_ = nullptr;
  Task* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace treadle
