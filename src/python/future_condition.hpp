// A future's `_condition`, made when somebody asks for it: the standard library's `wait` and
// `as_completed`, and tests that reach into futures, lock it.
//
// It behaves as `threading.Condition(threading.RLock())`.  Its lock guards the future's state:
// once it exists, every transition holds it (see `ConditionHold` in future.hpp).  Its notify also
// wakes threads that sleep in `Future.result`, which sleep on the future's own word.
//
// Thread safety: any attached thread.
// Invariants:
//  1. `owner_` is written by the owner only; another thread can never read its own identity there.
//  2. `word_` is 0 free, 1 taken, 2 taken and perhaps somebody sleeps.
//  3. The future is known by its word's address only, which `unpark_all` does not look at: the
//     condition may outlive the future.
//  4. It refers to locks only (through `waiters_`), so it is in no cycle, and the garbage collector
//     need not visit one for every future that somebody waits for.
#pragma once

#include <atomic>

#include "core/parking_spot.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

class FutureCondition {
 public:
  PyObject_HEAD

      [[nodiscard]] static bool
      make_type(PyObject* module);
  [[nodiscard]] static PyObject* make(const ParkingWord* future_word);

  // Re-entrant.  False on time-out (no error set) or when a signal handler raised (error set).
  [[nodiscard]] bool acquire(Deadline deadline = std::nullopt);
  // Must only be called by the owner.
  void release();
  [[nodiscard]] bool owned() const;
  // Gives the lock up however often it was taken; `acquire_restore` takes it back as often.
  [[nodiscard]] Py_ssize_t release_save();
  [[nodiscard]] bool acquire_restore(Py_ssize_t count);
  // Wakes threads in `wait`; false with an error set.  Owner only.
  [[nodiscard]] bool notify_waiters(Py_ssize_t count);
  // The same, and those who sleep in `Future.result`: they look again.
  [[nodiscard]] bool notify(Py_ssize_t count);

 private:
  friend struct FutureConditionSlots;
  std::atomic<unsigned long> owner_;
  Py_ssize_t count_;
  ParkingWord word_;
  const ParkingWord* future_word_;
  PyObject* waiters_;  // a deque, as `threading.Condition.wait` wants it
};

}  // namespace treadle::python
