// Points in time at which somebody has to be told something, the earliest first.
//
// Thread safety: every method, from any thread.
// Invariants:
//  1. A timer is handed out by `pop_due`, or `disarm` says that it was armed: one of the two,
//     once for each time it was armed.
//  2. `changed` changes when there is a new earliest time: who sleeps on it until the earliest one
//     of before looks again.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <optional>

#include "core/mutex.hpp"
#include "core/parking_spot.hpp"

namespace treadle {

class Timer : public boost::intrusive::set_base_hook<
                  boost::intrusive::optimize_size<true>,
                  boost::intrusive::link_mode<boost::intrusive::normal_link>> {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  friend bool operator<(const Timer& left, const Timer& right) { return left.at_ < right.at_; }

 private:
  friend class TimerQueue;

  Clock::time_point at_;
  bool armed_ = false;
};

class TimerQueue {
 public:
  // Arms the timer, or moves it when it is armed.  True when it was not.
  bool arm(Timer& timer, Clock::time_point at) TREADLE_EXCLUDES(mutex_);
  // The same for a timer that is not armed; one that is stays as it is.
  bool arm_first(Timer& timer, Clock::time_point at) TREADLE_EXCLUDES(mutex_);
  // True when it was armed.
  bool disarm(Timer& timer) TREADLE_EXCLUDES(mutex_);
  // The earliest timer that is due, disarmed; null when none is.
  Timer* pop_due(Clock::time_point now) TREADLE_EXCLUDES(mutex_);

  // When the next timer is due; none: there is no timer.  `seen` is the state of `changed` then.
  std::optional<Clock::time_point> next(std::uint32_t& seen) TREADLE_EXCLUDES(mutex_);
  [[nodiscard]] const ParkingWord& changed() const { return changed_; }

  // In the child of a fork: a fresh mutex.
  void reset_after_fork() { mutex_.reset_after_fork(); }

 private:
  // Whether it is the earliest now.
  bool insert_locked(Timer& timer, Clock::time_point at) TREADLE_REQUIRES(mutex_);

  Mutex mutex_;
  boost::intrusive::multiset<Timer> timers_ TREADLE_GUARDED_BY(mutex_);
  ParkingWord changed_{0};
};

}  // namespace treadle
