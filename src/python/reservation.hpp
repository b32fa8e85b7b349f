// Workers that a pool keeps for the tasks of a view, and of views on that view.
//
// With a bound such tasks have places of their own: a flood that fills the queue of all others
// would keep them out otherwise.
//
// Thread safety: any attached thread.
// Invariants:
//  1. The workers are kept as long as there is a view; `places` and the scheduler's reserve exist
//     as long as a task refers to them, by its settings.
//  2. The pool lists it from `make` to its end.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstddef>
#include <memory>

#include "core/places.hpp"
#include "core/reserve.hpp"
#include "python/shared.hpp"

namespace treadle::python {

class Pool;

class Reservation : public Shared<Reservation> {
 public:
  // For a first view; null with an error set: nobody would be left for other tasks.
  [[nodiscard]] static boost::intrusive_ptr<Reservation> make(Pool& pool, std::size_t workers);
  ~Reservation();

  [[nodiscard]] Reserve& reserve() const { return reserve_; }
  // Null where the pool has no bound.
  [[nodiscard]] Places* places() const { return places_.get(); }

  void add_view() { views_.fetch_add(1, std::memory_order_relaxed); }
  // The last one ends the reservation.  False with an error set: see `Pool::follow_up`.  `quietly`:
  // where no Python code may run.
  bool remove_view(bool quietly);

 private:
  Reservation(Pool& pool, Reserve& reserve);

  const boost::intrusive_ptr<Pool> pool_;
  Reserve& reserve_;
  const std::unique_ptr<Places> places_;
  std::atomic<std::size_t> views_{1};
};

using ReservationPtr = boost::intrusive_ptr<Reservation>;

}  // namespace treadle::python
