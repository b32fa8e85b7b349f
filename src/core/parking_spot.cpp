#include "core/parking_spot.hpp"

#if defined(__linux__) && !defined(TREADLE_PORTABLE_PARKING)

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace treadle {

const bool kParkSeesSignals = true;

namespace {

long futex(const ParkingWord* word, int operation, std::uint32_t value, const timespec* until) {
  // The bitset variant of the wait takes an absolute time of the monotonic clock, so an
  // interrupted wait can start again without computing what is left.
  return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, until, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

timespec to_timespec(Clock::time_point time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds);
  return {static_cast<time_t>(seconds.count()), static_cast<long>(rest.count())};
}

}  // namespace

Parked park(const ParkingWord& word, std::uint32_t expected, Deadline deadline) {
  timespec until{};
  if (deadline) until = to_timespec(*deadline);
  if (futex(&word, FUTEX_WAIT_BITSET, expected, deadline ? &until : nullptr) == 0) {
    return Parked::kWoken;
  }
  switch (errno) {
    case ETIMEDOUT:
      return Parked::kTimedOut;
    case EINTR:
      return Parked::kInterrupted;
    default:  // EAGAIN: the word had changed already
      return Parked::kWoken;
  }
}

void unpark_one(const ParkingWord* word) { futex(word, FUTEX_WAKE, 1, nullptr); }
void unpark_all(const ParkingWord* word) { futex(word, FUTEX_WAKE, INT_MAX, nullptr); }

}  // namespace treadle

#else

#include <array>
#include <boost/thread/condition_variable.hpp>
#include <boost/thread/mutex.hpp>
#include <functional>

namespace treadle {

const bool kParkSeesSignals = false;

namespace {

struct Bucket {
  boost::mutex mutex;
  boost::condition_variable changed;
};

// Words share a bucket by the hash of their address.  An unparker takes the bucket's mutex after
// the word has changed: a sleeper has then either seen the change or is inside `wait`.
Bucket& bucket_of(const ParkingWord* word) {
  static std::array<Bucket, 64> buckets;
  return buckets[(std::hash<const void*>{}(word) >> 4) % buckets.size()];
}

}  // namespace

Parked park(const ParkingWord& word, std::uint32_t expected, Deadline deadline) {
  Bucket& bucket = bucket_of(&word);
  boost::unique_lock<boost::mutex> lock(bucket.mutex);
  // Pairs with the unparker's change of the word, made before it took the bucket's mutex.
  if (word.load(std::memory_order_acquire) != expected) return Parked::kWoken;
  if (!deadline) {
    bucket.changed.wait(lock);
    return Parked::kWoken;
  }
  const auto left = std::chrono::ceil<std::chrono::nanoseconds>(*deadline - Clock::now()).count();
  if (left <= 0) return Parked::kTimedOut;
  const auto status = bucket.changed.wait_for(lock, boost::chrono::nanoseconds(left));
  return status == boost::cv_status::timeout ? Parked::kTimedOut : Parked::kWoken;
}

void unpark_all(const ParkingWord* word) {
  Bucket& bucket = bucket_of(word);
  const boost::lock_guard<boost::mutex> lock(bucket.mutex);
  bucket.changed.notify_all();
}

// A bucket's sleepers wait for different words: waking just one could wake the wrong one.
void unpark_one(const ParkingWord* word) { unpark_all(word); }

}  // namespace treadle

#endif
