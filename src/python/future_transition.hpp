// How a future's state changes: one step under the future's locks, and a note of what it owes to
// others, which is delivered afterwards (future_delivery.cpp).
//
// For the files that implement Future; nobody else needs it.
#pragma once

#include "python/family.hpp"

namespace treadle::python {

// Holds the future's `_condition`, where it has one, from a transition until `release`.
class ConditionHold {
 public:
  ConditionHold() = default;
  ConditionHold(const ConditionHold&) = delete;
  ConditionHold& operator=(const ConditionHold&) = delete;
  ~ConditionHold() { release(); }

  [[nodiscard]] FutureCondition* held() const {
    return reinterpret_cast<FutureCondition*>(condition_.get());
  }

  // False with a signal handler's exception set.
  [[nodiscard]] bool take(Ref condition) {
    release();
    condition_ = std::move(condition);
    if (held()->acquire()) return true;
    condition_ = Ref();
    return false;
  }

  void release() {
    if (!condition_) return;
    held()->release();
    condition_ = Ref();
  }

 private:
  Ref condition_;
};

struct Future::Delivered {
  State state = State::kPending;  // kPending: nothing was settled
  bool failed = false;
  bool awaited = false;
  Ref callbacks;
  Ref waiters;
  Delivery* deliveries = nullptr;
  std::unique_ptr<Family> family;
  ConditionHold hold;
};

// Runs `change` under the object lock and, where a condition exists, under its lock, which
// `delivered.hold` keeps.  `change` must not run user code.
template <class Change>
bool Future::transition(Delivered& delivered, Change change) {
  for (;;) {
    Ref condition;
    {
      const ObjectLock lock(mutex_);
      FutureCondition* needed = attachments_ == nullptr ? nullptr : attachments_->condition;
      if (needed == nullptr || needed == delivered.hold.held()) {
        change();
        return true;
      }
      condition = Ref::borrow(reinterpret_cast<PyObject*>(needed));
    }
    if (!delivered.hold.take(std::move(condition))) return false;
  }
}

}  // namespace treadle::python
