#include "core/places.hpp"

namespace treadle {

Places::Entered Places::enter(PlaceWaiter& waiter) {
  const MutexLock lock(mutex_);
  if (closed_) return Entered::kClosed;
  std::size_t seen = word_.load(std::memory_order_relaxed);
  for (;;) {
    const bool free = seen >= kOne;
    // Acquire as in `take`; that nobody gave a place back in between is what the exchange tells.
    if (word_.compare_exchange_weak(seen, free ? seen - kOne : kWaited, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      if (free) return Entered::kTaken;
      break;
    }
  }
  waiter.epoch = epoch();
  waiters_.push_back(waiter);
  return Entered::kWaits;
}

bool Places::leave(PlaceWaiter& waiter) {
  const MutexLock lock(mutex_);
  if (waiter.word.load(std::memory_order_relaxed) != PlaceWaiter::kWaiting) return false;
  waiters_.erase(waiters_.iterator_to(waiter));
  if (waiters_.empty()) word_.fetch_and(~kWaited, std::memory_order_relaxed);
  return true;
}

PlaceWaiter& Places::serve_first_locked(PlaceWaiter::Word how) {
  PlaceWaiter& waiter = waiters_.front();
  waiters_.pop_front();
  if (waiters_.empty()) word_.fetch_and(~kWaited, std::memory_order_relaxed);
  waiter.word.store(how, std::memory_order_release);  // pairs with the acquire of who waits
  return waiter;
}

void Places::give_to_waiter() {
  PlaceWaiter* waiter = nullptr;
  const ParkingWord* sleeper = nullptr;
  {
    const MutexLock lock(mutex_);
    if (waiters_.empty()) {
      word_.fetch_add(kOne, std::memory_order_release);  // as in `give_back`
      return;
    }
    if (waiters_.front().call == nullptr) sleeper = &waiters_.front().word;
    waiter = &serve_first_locked(PlaceWaiter::kGiven);
  }
  if (sleeper != nullptr) {
    unpark_one(sleeper);
  } else {
    waiter->call(*waiter);
  }
}

void Places::close() {
  Waiters to_call;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    while (!waiters_.empty()) {
      PlaceWaiter& first = waiters_.front();
      const bool calls = first.call != nullptr;
      (void)serve_first_locked(PlaceWaiter::kClosed);
      if (calls) {
        to_call.push_back(first);
      } else {
        unpark_one(&first.word);
      }
    }
  }
  while (!to_call.empty()) {
    PlaceWaiter& first = to_call.front();
    to_call.pop_front();
    first.call(first);
  }
}

void Places::restart_in_child() {
  mutex_.reset_after_fork();
  const MutexLock lock(mutex_);
  epoch_.fetch_add(1, std::memory_order_relaxed);
  waiters_.clear();
  word_.store(bound_ * kOne, std::memory_order_relaxed);
}

}  // namespace treadle
