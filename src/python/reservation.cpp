#include "python/reservation.hpp"

#include "python/pool.hpp"

namespace treadle::python {

Reservation::Reservation(Pool& pool, Reserve& reserve)
    : pool_(&pool),
      reserve_(reserve),
      places_(pool.bound() != nullptr ? std::make_unique<Places>(pool.bound()->places.bound())
                                      : nullptr) {
  pool.add_reservation(*this);
}

Reservation::~Reservation() {
  pool_->remove_reservation(*this);
  pool_->scheduler().forget_reserve(reserve_);
}

ReservationPtr Reservation::make(Pool& pool, std::size_t workers) {
  Scheduler& scheduler = pool.scheduler();
  ReservationPtr reservation;
  if (Reserve* reserve = scheduler.open_reserve(workers)) {
    reservation = new Reservation(pool, *reserve);
    return reservation;
  }
  const std::size_t most = scheduler.max_workers(), reserved = scheduler.reserved();
  PyErr_Format(PyExc_ValueError,
               "reserve must leave a worker for other tasks: %zu of %zu workers are reserved "
               "already, %zu more would be too many",
               reserved, most, workers);
  return reservation;
}

bool Reservation::remove_view(bool quietly) {
  if (views_.fetch_sub(1, std::memory_order_relaxed) != 1) return true;  // only the count matters
  const Scheduler::Pushed pushed = pool_->scheduler().close_reserve(reserve_);
  if (!quietly) return pool_->follow_up_all(pushed) && pool_->widen_jobs();
  pool_->follow_up_later(pushed);
  return true;
}

}  // namespace treadle::python
