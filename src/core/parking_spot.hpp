// Sleeping until a 32-bit word changes: a futex where the system has one, else a table of
// boost condition variables.
//
// Thread safety: all functions, from any thread.
// Invariants:
//  1. `park` sleeps only while the word still holds `expected`.  A waker changes the word first
//     and calls `unpark_*` second, so no wake-up is lost.
//  2. A sleeper may wake for no reason; every caller looks at the word again.
//  3. `unpark_*` uses the word's address only, never its content: the object around it may be
//     gone by then, and a stray wake-up harms nobody (2).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace treadle {

using ParkingWord = std::atomic<std::uint32_t>;
using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;  // none: for ever

enum class Parked : std::uint8_t {
  kWoken,        // by an unparker, or the word had changed already, or for no reason
  kTimedOut,     // the deadline passed
  kInterrupted,  // a signal handler ran in this thread
};

// True where a signal ends `park`; elsewhere a thread that must react to signals parks in slices.
extern const bool kParkSeesSignals;

[[nodiscard]] Parked park(const ParkingWord& word, std::uint32_t expected, Deadline deadline);
void unpark_one(const ParkingWord* word);
void unpark_all(const ParkingWord* word);

}  // namespace treadle
