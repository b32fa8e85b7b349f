// What histogram.hpp promises: percentiles within 1/32 of the true ones, whatever the durations,
// however many histograms they are spread over; exact counts, means and maxima; and a reader beside
// the writer who sees nothing count down.

#include "core/histogram.hpp"

#include <algorithm>
#include <boost/thread/thread.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"

namespace treadle::test {
namespace {

constexpr double kError = 1.0 / 32;

void every_duration_has_the_bucket_that_it_lies_in() {
  std::size_t last = 0;
  const auto check = [&last](std::uint64_t duration) {
    const std::size_t index = buckets::index_of(duration);
    CHECK(index == last || index == last + 1);
    last = index;
    const auto value = static_cast<double>(duration);
    CHECK(std::abs(buckets::middle_of(index) - value) <= value * kError);
  };
  for (std::uint64_t duration = 0; duration < 5000; ++duration) check(duration);
  for (std::uint64_t power = 4096; power < buckets::kLongest; power *= 2) {
    for (std::uint64_t part = 0; part < buckets::kParts; ++part) {
      last = buckets::index_of(power + (part * (power / buckets::kParts)) - 1);
      check(power + (part * (power / buckets::kParts)));
      CHECK(part == 0 || buckets::index_of(power) + part == last);
    }
  }
  CHECK(buckets::index_of(buckets::kLongest) == buckets::kCount - 1);
}

void percentiles_are_close_to_the_true_ones(std::size_t histograms) {
  std::mt19937_64 random(histograms);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::int64_t> durations(1 + (random() % 3000));
    // Of all sizes, up to a month: a random number of bits each.
    for (std::int64_t& one : durations)
      one = static_cast<std::int64_t>(random() >> (12 + random() % 52));
    std::vector<Histogram> parts(histograms);
    double sum = 0;
    for (std::size_t i = 0; i < durations.size(); ++i) {
      parts[i % histograms].record(durations[i]);
      sum += static_cast<double>(durations[i]);
    }
    HistogramTotals totals;
    for (const Histogram& part : parts) part.add_to(totals);
    std::sort(durations.begin(), durations.end());
    const auto count = static_cast<double>(durations.size());
    CHECK(totals.count() == durations.size());
    CHECK(std::abs(totals.mean() - (sum / count)) <= 1e-6 * sum);
    CHECK(totals.greatest == static_cast<std::uint64_t>(durations.back()));
    double before = 0;
    for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::max(std::ceil(share * count), 1.0));
      const auto exact = static_cast<double>(durations[rank - 1]);
      const double found = totals.percentile(share);
      CHECK(std::abs(found - exact) <= exact * kError);
      CHECK(found >= before && found <= static_cast<double>(totals.greatest));
      before = found;
    }
  }
}

void nothing_and_extremes_are_no_trouble() {
  HistogramTotals totals;
  CHECK(totals.count() == 0 && totals.mean() == 0 && totals.percentile(0.5) == 0);
  Histogram histogram;
  histogram.record(-5);  // a clock that went backwards
  histogram.record(0);
  histogram.add_to(totals);
  CHECK(totals.count() == 2 && totals.greatest == 0 && totals.percentile(1) == 0);
  const std::int64_t day = 24LL * 3600 * 1'000'000'000;
  histogram.record(day);
  totals = {};
  histogram.add_to(totals);
  CHECK(totals.count() == 3 && totals.greatest == static_cast<std::uint64_t>(day));
  histogram.record(std::numeric_limits<std::int64_t>::max());  // does not draw the others along
  totals = {};
  histogram.add_to(totals);
  const auto length = static_cast<double>(day);
  CHECK(std::abs(totals.percentile(0.75) - length) <= length * kError);
  histogram.clear();
  totals = {};
  histogram.add_to(totals);
  CHECK(totals.count() == 0 && totals.greatest == 0 && totals.sum == 0);
}

void a_reader_beside_the_writer_sees_it_grow() {
  constexpr std::uint64_t kRecords = 300'000;
  Histogram histogram;
  boost::thread writer([&] {
    for (std::uint64_t i = 0; i < kRecords; ++i) histogram.record(static_cast<std::int64_t>(i));
  });
  HistogramTotals last;
  while (last.count() < kRecords) {
    HistogramTotals now;
    histogram.add_to(now);
    for (std::size_t i = 0; i < now.counts.size(); ++i) CHECK(now.counts[i] >= last.counts[i]);
    CHECK(now.sum >= last.sum && now.greatest >= last.greatest);
    last = now;
  }
  writer.join();
  HistogramTotals all;
  histogram.add_to(all);
  CHECK(all.count() == kRecords && all.sum == kRecords * (kRecords - 1) / 2);
}

}  // namespace
}  // namespace treadle::test

int main() {
  using namespace treadle::test;
  every_duration_has_the_bucket_that_it_lies_in();
  for (const std::size_t histograms : {1, 3, 8}) {
    percentiles_are_close_to_the_true_ones(histograms);
  }
  nothing_and_extremes_are_no_trouble();
  a_reader_beside_the_writer_sees_it_grow();
}
