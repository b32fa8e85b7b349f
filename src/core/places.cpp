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

Places::Served Places::serve_first_locked(PlaceWaiter::Word how) {
  PlaceWaiter& waiter = waiters_.front();
  waiters_.pop_front();
  if (waiters_.empty()) word_.fetch_and(~kWaited, std::memory_order_relaxed);
  const bool sleeps = waiter.call == nullptr;
  const Served served{.sleeper = sleeps ? &waiter.word : nullptr,
                      .called = sleeps ? nullptr : &waiter,
                      .rouses = sleeps && how == PlaceWaiter::kGiven && !waiter.may_tarry};
  if (served.rouses) rousing_ = true;
  waiter.word.store(how, std::memory_order_release);  // pairs with the acquire of who waits
  return served;
}

void Places::Served::wake() const {
  if (sleeper != nullptr) unpark_one(sleeper);
  if (called != nullptr) called->call(*called);
}

void Places::give_to_waiter() {
  Served served;
  {
    const MutexLock lock(mutex_);
    if (waiters_.empty() || rousing_) {
      word_.fetch_add(kOne, std::memory_order_release);  // as in `give_back`
      return;
    }
    served = serve_first_locked(PlaceWaiter::kGiven);
  }
  served.wake();
  // Whoever was roused last may have left places free, as this one was to come back soon; but who
  // has got it does not pass on.
  if (!served.rouses) pass_on();
}

void Places::woke() {
  const MutexLock lock(mutex_);
  rousing_ = false;
}

void Places::pass_on() {
  for (;;) {
    Served served;
    {
      const MutexLock lock(mutex_);
      if (rousing_ || waiters_.empty() || take() == 0) return;
      served = serve_first_locked(PlaceWaiter::kGiven);
    }
    served.wake();
    if (served.rouses) return;  // that one will see to the rest
  }
}

void Places::close() {
  Waiters to_call;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    while (!waiters_.empty()) {
      const Served served = serve_first_locked(PlaceWaiter::kClosed);
      if (served.called != nullptr) {
        to_call.push_back(*served.called);
      } else {
        served.wake();
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
  rousing_ = false;
  word_.store(bound_ * kOne, std::memory_order_relaxed);
}

}  // namespace treadle
