// How often durations of every length came: logarithmic buckets, each power of two cut into sixteen
// equal parts.  So a percentile is within 1/32 of the true one, whatever a clock can tell, in
// 8 KiB, and noting a duration is an increment.
//
// `Histogram` is written by one thread and read by any; `HistogramTotals` is what they add up to,
// a plain value.
//
// Thread safety: `record`, the one writer; `add_to`, any thread.
// Invariant: a bucket never counts down.  A reader beside the writer sees each bucket, the sum and
// the greatest as they were at some moment during the read, not all at the same.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace treadle {

namespace buckets {

constexpr unsigned kPartBits = 4;
constexpr std::uint64_t kParts = 1U << kPartBits;  // to each power of two
constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max();

// What is shorter than kParts has a bucket of its own.  At most kLongest.
constexpr std::size_t index_of(std::uint64_t value) {
  if (value < kParts) return static_cast<std::size_t>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kPartBits - 1;
  return static_cast<std::size_t>((shift * kParts) + (value >> shift));
}

constexpr std::size_t kCount = index_of(kLongest) + 1;

// The middle of the durations that a bucket stands for.
constexpr double middle_of(std::size_t index) {
  if (index < kParts) return static_cast<double>(index);
  const std::size_t shift = (index / kParts) - 1;
  const std::uint64_t least = (kParts + (index % kParts)) << shift;
  const std::uint64_t width = std::uint64_t{1} << shift;
  return static_cast<double>(least) + (static_cast<double>(width - 1) / 2);
}

}  // namespace buckets

struct HistogramTotals {
  std::array<std::uint64_t, buckets::kCount> counts{};
  std::uint64_t sum = 0;
  std::uint64_t greatest = 0;

  void add(const HistogramTotals& other);
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] double mean() const;  // 0 when there is nothing, as the two below
  // A duration that the given share of all, between 0 and 1, did not exceed: never above the
  // greatest.
  [[nodiscard]] double percentile(double share) const;
};

class Histogram {
 public:
  Histogram() = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // Notes a duration in nanoseconds; a negative one as none.  Only ever called by one thread, so
  // nothing here has to read, change and write in one step; nothing depends on the order.
  void record(std::int64_t nanoseconds) {
    const auto duration = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
    grow(counts_[buckets::index_of(duration)], 1);
    grow(sum_, duration);
    if (duration > greatest_.load(std::memory_order_relaxed)) {
      greatest_.store(duration, std::memory_order_relaxed);
    }
  }

  void add_to(HistogramTotals& totals) const;
  // Must only be called while nobody records.
  void clear();

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void grow(Counter& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::array<Counter, buckets::kCount> counts_{};
  Counter sum_{0};
  Counter greatest_{0};
};

}  // namespace treadle
