// The workers that sleep, in the order in which they fell asleep: intrusive, no allocation.
//
// The warmest, which slept last, is called for work, so that under little load the same few work
// and the others sleep on; the coldest is let go first.
//
// Thread safety: none; the scheduler guards it with its mutex.
// Invariant: `size_` workers are linked from `warmest_` to `coldest_` by `colder_`, and back by
// `warmer_`; both ends are null when there is none, and the links past an end mean nothing.
#pragma once

#include <cstddef>

#include "core/worker.hpp"

namespace treadle {

class IdleWorkers {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void push(Worker& worker) {
    worker.colder_ = warmest_;
    (warmest_ != nullptr ? warmest_->warmer_ : coldest_) = &worker;
    warmest_ = &worker;
    ++size_;
  }

  // These two require that there is one.
  Worker& pop_warmest() {
    Worker& worker = *warmest_;
    warmest_ = worker.colder_;
    if (--size_ == 0) warmest_ = coldest_ = nullptr;
    return worker;
  }
  Worker& pop_coldest() {
    Worker& worker = *coldest_;
    coldest_ = worker.warmer_;
    if (--size_ == 0) warmest_ = coldest_ = nullptr;
    return worker;
  }

  void clear() {
    warmest_ = coldest_ = nullptr;
    size_ = 0;
  }

 private:
  Worker* warmest_ = nullptr;
  Worker* coldest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace treadle
