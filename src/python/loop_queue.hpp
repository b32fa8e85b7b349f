// Completions on their way into one event loop.
//
// Thread safety: any attached thread.
// Invariants (per queue):
//  1. A queue that is not empty has a drain under way: `put` says when one must be scheduled, and
//     `pop` ends it in the same step in which it finds nothing.  Only `pause` breaks this, for a
//     loop that cannot be asked at the moment.
//  2. The loop owns the queue, as an attribute, and the queue knows the loop weakly.  What waits in
//     the queue of a loop that nobody has kept goes with the loop: the garbage collector sees it.
#pragma once

#include "python/future.hpp"

namespace treadle::python {

class LoopQueue {
 public:
  PyObject_HEAD

      [[nodiscard]] static bool
      make_type(PyObject* module);
  // The queue of a loop, made when first needed, with a bell where the loop can have one; none with
  // an error set.
  [[nodiscard]] static Ref of_loop(PyObject* loop);
  [[nodiscard]] static LoopQueue& of(PyObject* object) {
    return *reinterpret_cast<LoopQueue*>(object);
  }

  // None when it is gone.
  [[nodiscard]] Ref loop() const;
  // Takes the delivery.  True when the caller has to schedule a drain.
  [[nodiscard]] bool put(Delivery* delivery);
  // The oldest delivery, the caller's; null, and the drain is over, when there is none.
  [[nodiscard]] Delivery* pop();
  // Takes back what `pop` gave, to be the oldest again.
  void put_back(Delivery* delivery);
  // No drain is under way, though there may be something to drain: the next `put` asks for one.
  void pause();
  void drop_all();
  [[nodiscard]] bool empty();
  // In the child of a fork: the drains that other threads were about to schedule will not come.
  static void note_fork();

  // Wakes the loop, which will find what has been added to its callbacks.  False when it has no
  // bell (loop_bell.hpp).
  [[nodiscard]] bool ring();
  [[nodiscard]] bool has_bell();
  void set_bell(int descriptor);
  // The bell with this descriptor, which is open still, is no more.
  void drop_bell(int descriptor);

 private:
  friend struct LoopQueueSlots;

  PyObject* loop_;  // a weak reference
  Delivery* head_;  // oldest first
  Delivery* tail_;
  int bell_;               // an eventfd; negative: none
  std::uint32_t process_;  // in which `draining_` was last looked at
  bool draining_;          // a drain is scheduled or running
#ifdef Py_GIL_DISABLED
  ObjectMutex mutex_;
#else
  [[no_unique_address]] ObjectMutex mutex_;
#endif
};

}  // namespace treadle::python
