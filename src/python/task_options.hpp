// What a task was told besides its call: its rank in the queue, and what its view says.
//
// Few tasks have any; those of a `PriorityExecutor` have 80 bytes each.
//
// Thread safety: `Settings` never change.  `TaskOptions` are made and freed attached; the rank in
// them is the scheduler's while the task is queued.
// Invariant: options live as long as their future, so whoever has the future may read them.
#pragma once

#include <cstdint>
#include <optional>

#include "core/parking_spot.hpp"
#include "core/rank.hpp"
#include "python/python_api.hpp"
#include "python/reservation.hpp"
#include "python/shared.hpp"

namespace treadle::python {

// What all tasks of one view have in common.
struct Settings : Shared<Settings>, TaskClass {
  std::optional<std::int64_t> priority;
  Ref name;     // a string, or none
  Ref context;  // a `contextvars.Context`, or none: the submitter's
  // From submission, and from the start of the call; zero: none.
  Clock::duration deadline{};
  Clock::duration timeout{};
  bool inherits = true;        // the deadline of the task that submits
  ReservationPtr reservation;  // null: none
  // The level is not the priority, which is here: the pool has aging.
  bool tells_priority = false;
  // For a task whose view leaves the priority open, but not the rest: that of the view.
  boost::intrusive_ptr<const Settings> view;

  // How many of its tasks have not ended; who waits for none sleeps on it.
  mutable ParkingWord unfinished{0};
};

using SettingsPtr = boost::intrusive_ptr<const Settings>;

class TaskOptions : public Rank {
 public:
  TaskOptions(std::int64_t level, SettingsPtr common, std::int64_t deadline = kNoDeadline)
      : Rank(level, deadline, common.detach()) {
    if (settings() != nullptr) counted().unfinished.fetch_add(1, std::memory_order_relaxed);
  }
  ~TaskOptions() { (void)SettingsPtr(settings(), false); }
  TaskOptions(const TaskOptions&) = delete;
  TaskOptions& operator=(const TaskOptions&) = delete;

  // What `submit` or the view was given: with aging, the level is another.
  [[nodiscard]] std::int64_t priority() const {
    return settings() != nullptr && settings()->tells_priority ? *settings()->priority : level();
  }
  // Null: none.
  [[nodiscard]] const Settings* settings() const {
    return static_cast<const Settings*>(task_class());  // it has no others
  }
  // Whether it is a task of the view with these settings.
  [[nodiscard]] bool is_of(const Settings* view) const {
    return settings() != nullptr && &counted() == view;
  }

  // Once for each: the task has ended, or will never be queued.
  void end() const {
    if (settings() == nullptr) return;
    // Release: pairs with the acquire of whoever waits for the last one.
    if (counted().unfinished.fetch_sub(1, std::memory_order_release) == 1) {
      unpark_all(&counted().unfinished);
    }
  }

  // Python's allocator wastes nothing on blocks of this size.
  static void* operator new(std::size_t size) noexcept { return PyMem_Malloc(size); }
  static void operator delete(void* block) { PyMem_Free(block); }

 private:
  // Those that count it.
  [[nodiscard]] const Settings& counted() const {
    return settings()->view ? *settings()->view : *settings();
  }
};

// A number that stands for a priority: an int, or something that can be used as one, but no bool.
// False with an error set, which says what is allowed.
[[nodiscard]] bool read_priority(PyObject* object, std::int64_t& priority);

// Whether the first argument of a `submit` is meant as a priority: it is not something to call.
[[nodiscard]] inline bool is_meant_as_priority(PyObject* object) {
  return PyLong_CheckExact(object) != 0 || PyCallable_Check(object) == 0;
}

}  // namespace treadle::python
