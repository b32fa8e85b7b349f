// Waiting for a place in a bounded queue: as a thread, or (Place) as a task of an event loop.
#pragma once

#include "core/parking_spot.hpp"
#include "python/pool.hpp"

namespace treadle::python {

enum class Room : std::uint8_t {
  kTaken,
  kTimedOut,  // no error is set
  kError,     // the pool takes no more, or a signal handler raised: the error is set
};

// Takes a place, for `push_in_room`; sleeps until there is one, detached and awake for signals.
[[nodiscard]] Room wait_for_room(Pool& pool, Places& places, Deadline deadline);

// Queues a new task, whose reference is taken, in such a place.
[[nodiscard]] PyObject* push_in_room(Pool& pool, PyObject* task);

// A place that one task of an event loop waits for, or has.
[[nodiscard]] bool make_place_type(PyObject* module);
// _ask_for_place(): a Place, and None when it is there already, else a future to await: true when
// the place has come, false when the caller must ask again, as it must when the place is not kept.
// The call that takes the place will have these settings, or none.
[[nodiscard]] PyObject* ask_for_place(Pool& pool, SettingsPtr settings);
// The calling thread is about to block: takes over what a task of its own loops was given and has
// not used, or has those that wait ask again later.  True when the caller has a place.
[[nodiscard]] bool displace_tasks_of_this_thread(const Places& places);

}  // namespace treadle::python
