// The tasks that a running task has submitted, for as long as it runs.
//
// Thread safety: guarded by the object lock of the task's future.
// Invariant: those that are done are let go before they are more than the others, and of those that
// are submitted one after the other the last is kept: a task may submit millions, and keeps few.
#pragma once

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "python/future.hpp"

namespace treadle::python {

class Family {
 public:
  // Takes in a new one.  `released` and `swept` get references that must be dropped without the
  // lock.
  void add(PyObject* child, Ref& released, std::vector<Ref>& swept) {
    if (!children_.empty() && Future::of(children_.back().get()).done()) {
      released = std::exchange(children_.back(), Ref::borrow(child));
      return;
    }
    if (children_.size() >= sweep_at_) sweep(swept);
    children_.push_back(Ref::borrow(child));
  }

  [[nodiscard]] std::vector<Ref> copy() const {
    std::vector<Ref> copies;
    copies.reserve(children_.size());
    for (const Ref& child : children_) copies.push_back(Ref::borrow(child.get()));
    return copies;
  }

  int traverse(visitproc visit, void* arg) const {
    for (const Ref& child : children_) Py_VISIT(child.get());
    return 0;
  }

 private:
  static constexpr std::size_t kFew = 16;

  void sweep(std::vector<Ref>& swept) {
    const auto done = std::partition(children_.begin(), children_.end(), [](const Ref& child) {
      return !Future::of(child.get()).done();
    });
    std::move(done, children_.end(), std::back_inserter(swept));
    children_.erase(done, children_.end());
    sweep_at_ = std::max(kFew, 2 * children_.size());
  }

  std::vector<Ref> children_;
  std::size_t sweep_at_ = kFew;
};

}  // namespace treadle::python
