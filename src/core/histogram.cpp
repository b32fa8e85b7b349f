#include "core/histogram.hpp"

#include <cmath>
#include <numeric>

namespace treadle {

void HistogramTotals::add(const HistogramTotals& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  sum += other.sum;
  greatest = std::max(greatest, other.greatest);
}

std::uint64_t HistogramTotals::count() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

double HistogramTotals::mean() const {
  const std::uint64_t all = count();
  return all == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(all);
}

double HistogramTotals::percentile(double share) const {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const double wanted = std::ceil(share * static_cast<double>(all));
  std::uint64_t rank = static_cast<std::uint64_t>(std::max(wanted, 1.0));
  rank = std::min(rank, all);
  std::uint64_t seen = 0;
  std::size_t index = 0;
  for (;; ++index) {
    seen += counts[index];
    if (seen >= rank) break;
  }
  // Nothing is longer than the greatest; what shares its bucket may be shorter than the middle.
  return std::min(buckets::middle_of(index), static_cast<double>(greatest));
}

void Histogram::clear() {
  for (Counter& counter : counts_) counter.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
  greatest_.store(0, std::memory_order_relaxed);
}

void Histogram::add_to(HistogramTotals& totals) const {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    totals.counts[i] += counts_[i].load(std::memory_order_relaxed);
  }
  totals.sum += sum_.load(std::memory_order_relaxed);
  totals.greatest = std::max(totals.greatest, greatest_.load(std::memory_order_relaxed));
}

}  // namespace treadle
