#include "core/timer_queue.hpp"

#include <utility>

namespace treadle {

bool TimerQueue::insert_locked(Timer& timer, Clock::time_point at) {
  timer.at_ = at;
  timers_.insert(timer);
  if (&*timers_.begin() != &timer) return false;
  changed_.fetch_add(1, std::memory_order_release);  // pairs with the look of `park`
  return true;
}

bool TimerQueue::arm(Timer& timer, Clock::time_point at) {
  bool was_armed = false, earliest = false;
  {
    const MutexLock lock(mutex_);
    was_armed = std::exchange(timer.armed_, true);
    if (was_armed) timers_.erase(timers_.iterator_to(timer));
    earliest = insert_locked(timer, at);
  }
  if (earliest) unpark_all(&changed_);
  return !was_armed;
}

bool TimerQueue::arm_first(Timer& timer, Clock::time_point at) {
  bool earliest = false;
  {
    const MutexLock lock(mutex_);
    if (std::exchange(timer.armed_, true)) return false;
    earliest = insert_locked(timer, at);
  }
  if (earliest) unpark_all(&changed_);
  return true;
}

bool TimerQueue::disarm(Timer& timer) {
  const MutexLock lock(mutex_);
  const bool was_armed = std::exchange(timer.armed_, false);
  if (was_armed) timers_.erase(timers_.iterator_to(timer));
  return was_armed;
}

Timer* TimerQueue::pop_due(Clock::time_point now) {
  const MutexLock lock(mutex_);
  if (timers_.empty() || timers_.begin()->at_ > now) return nullptr;
  Timer& timer = *timers_.begin();
  timers_.erase(timers_.begin());
  timer.armed_ = false;
  return &timer;
}

std::optional<Clock::time_point> TimerQueue::next(std::uint32_t& seen) {
  const MutexLock lock(mutex_);
  seen = changed_.load(std::memory_order_relaxed);  // changes under the mutex only
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->at_;
}

}  // namespace treadle
