// A group of futures that somebody waits for: the engine of treadle.wait and as_completed.
//
// As an iterator it gives each future as it completes, and forgets it.
//
// Thread safety: any thread completes members; one caller at a time waits or iterates, another gets
// ValueError, as from a generator.
// Invariants:
//  1. A link is in its future's list of groups exactly while `pending` is true; both change under
//     the future's object lock, where completion calls `complete`.
//  2. `order_` lists the members that have completed, oldest first, each once.
//  3. A completion wakes the waiter only when it is the one that the waiter sleeps for
//     (`wanted_` completions, or a failure): `word_` moves then.
//  4. The group owns its members until it has given them away; so a linked future is alive.
//  5. Futures of other libraries report through the standard library's waiter methods.
#pragma once

#include <memory>
#include <vector>

#include "core/mutex.hpp"
#include "core/parking_spot.hpp"
#include "python/gil.hpp"

namespace treadle::python {

class Group;

struct GroupLink {
  Group* group = nullptr;
  PyObject* future = nullptr;  // owned by the group; null when given away
  GroupLink* next = nullptr;   // in the future's list
  bool pending = false;
  bool completed = false;  // guarded by the group's mutex
};

class Group {
 public:
  [[nodiscard]] static bool make_type(PyObject* module);

  // A member completed.  Runs no user code.
  void complete(GroupLink& link, bool failed) TREADLE_EXCLUDES(mutex_);

 private:
  friend struct GroupSlots;
  static constexpr std::size_t kNobodyWaits = static_cast<std::size_t>(-1);

  [[nodiscard]] bool add(PyObject* future, GroupLink& link);
  [[nodiscard]] bool add_foreign(PyObject* future, GroupLink& link);
  // Waits for so many completions in all, or a failure; false on time-out or with an error set.
  [[nodiscard]] bool wait(std::size_t wanted, bool stop_on_failure);
  [[nodiscard]] bool reached(std::size_t wanted, bool stop_on_failure) TREADLE_EXCLUDES(mutex_);
  void run_queued_members();
  [[nodiscard]] PyObject* next();
  void close();

  PyObject* self_ = nullptr;  // the object around this; not owned
  Mutex mutex_;
  ParkingWord word_{0};
  std::unique_ptr<GroupLink[]> links_;
  std::size_t size_ = 0;
  std::size_t given_ = 0;  // members that the iterator has given away
  Ref foreign_;            // a dict: members of other kinds -> index of their link
  Deadline deadline_;
  OneReader reader_;
  std::vector<std::size_t> order_ TREADLE_GUARDED_BY(mutex_);
  std::size_t wanted_ TREADLE_GUARDED_BY(mutex_) = kNobodyWaits;
  bool stop_on_failure_ TREADLE_GUARDED_BY(mutex_) = false;
  bool failed_ TREADLE_GUARDED_BY(mutex_) = false;
};

}  // namespace treadle::python
