// Parking: no lost wake-up, deadlines, and words that have changed already.

#include "core/parking_spot.hpp"

#include <boost/thread/thread.hpp>

#include "check.hpp"

namespace treadle::test {
namespace {

using std::chrono::milliseconds;

void a_word_that_has_changed_is_not_slept_on() {
  ParkingWord word{1};
  CHECK(park(word, 0, std::nullopt) == Parked::kWoken);
}

void a_deadline_ends_the_sleep_not_earlier() {
  ParkingWord word{0};
  const Clock::time_point end = Clock::now() + milliseconds(20);
  while (park(word, 0, end) != Parked::kTimedOut) {
  }
  CHECK(Clock::now() >= end);
}

void a_deadline_in_the_past_ends_it_at_once() {
  ParkingWord word{0};
  CHECK(park(word, 0, Clock::now() - milliseconds(1)) == Parked::kTimedOut);
}

// Two threads hand a turn to and fro: one lost wake-up would hang them (and ctest would say so).
void no_wake_up_is_lost() {
  constexpr std::uint32_t kTurns = 20000;
  ParkingWord turn{0};
  const auto play = [&](std::uint32_t own) {
    for (std::uint32_t at = own; at < kTurns; at += 2) {
      for (std::uint32_t seen = turn.load(std::memory_order_acquire); seen != at;
           seen = turn.load(std::memory_order_acquire)) {
        (void)park(turn, seen, std::nullopt);
      }
      turn.store(at + 1, std::memory_order_release);
      unpark_one(&turn);
    }
  };
  boost::thread other(play, 1);
  play(0);
  other.join();
  CHECK(turn.load() == kTurns);
}

void everybody_is_woken() {
  ParkingWord word{0};
  boost::thread_group sleepers;
  for (int i = 0; i < 8; ++i) {
    sleepers.create_thread([&] {
      while (word.load(std::memory_order_acquire) == 0) (void)park(word, 0, std::nullopt);
    });
  }
  word.store(1, std::memory_order_release);
  unpark_all(&word);
  sleepers.join_all();
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  a_word_that_has_changed_is_not_slept_on();
  a_deadline_ends_the_sleep_not_earlier();
  a_deadline_in_the_past_ends_it_at_once();
  no_wake_up_is_lost();
  everybody_is_woken();
}
