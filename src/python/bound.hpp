// The bound of a pool's queue: its places, and what happens to a task that finds none.
//
// Thread safety: any attached thread.
// Invariants:
//  1. A future that is queued and may still be run from there holds a place.  Whoever makes it void
//     (takes it out, runs it ahead of its turn, cancels it) takes the place from the future, by
//     `Future::take_place`, which succeeds once, and gives it back.
//  2. A task that holds no place may be in the queue for two reasons: it is void, or a tool has put
//     it into `executor._work_queue` by hand.  The void ones are swept out when they are the larger
//     part.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/places.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

class Future;
class Pool;
struct Settings;

enum class WhenFull : std::uint8_t { kBlock, kRaise, kRun, kDropOldest };

struct Bound {
  Bound(std::size_t max_pending, WhenFull policy) : places(max_pending), when_full(policy) {}

  Places places;
  const WhenFull when_full;
};

// For a pool with a bound (each of these).

// Where the places of such a task are: those of the pool, or of its view's reservation.
[[nodiscard]] Places& places_of(Pool& pool, const Settings* settings);
[[nodiscard]] Places& places_of(Pool& pool, const Future& future);

// Queues a new task as the pool's policy wants it, or runs it here; the reference is taken.  A new
// one, or null with an error set: nothing was queued then.
[[nodiscard]] PyObject* push_bounded(Pool& pool, PyObject* task);
// Queues a list of new tasks as room allows, or (`raise`) all or none.  False with an error set:
// those that have not started are cancelled.
[[nodiscard]] bool push_all_bounded(Pool& pool, PyObject* futures);
// Queues a new task, whose reference is taken, and for which the caller has taken a place.
[[nodiscard]] PyObject* push_placed(Pool& pool, PyObject* task);

// The future leaves the queue, or is void there: its place, if it holds one, is given back.
void give_back_place(Pool& pool, Future& future);
// The same for a future whose entry stays in the queue; its pool is looked up.
void give_back_place_of_void(Future& future);

}  // namespace treadle::python
