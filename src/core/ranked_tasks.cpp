#include "core/ranked_tasks.hpp"

#include <iterator>

namespace treadle {

void RankedTasks::insert(Rank& rank) {
  ++size_;
  rank.before_ = rank.behind_ = &rank;
  // Most come last, and need no search.
  const bool is_last = tree_.empty() || !(rank < *tree_.rbegin());
  const auto at = is_last ? tree_.end() : tree_.upper_bound(rank);
  if (at != tree_.begin()) {
    Rank& first = *std::prev(at);
    if (!(first < rank)) {
      rank.before_ = first.before_;
      rank.behind_ = &first;
      first.before_->behind_ = &rank;
      first.before_ = &rank;
      return;
    }
  }
  tree_.insert_before(at, rank);
}

void RankedTasks::erase(Rank& rank) {
  --size_;
  Rank& next = *rank.behind_;
  if (rank.is_linked()) {
    const auto at = tree_.iterator_to(rank);
    if (&next == &rank) {
      tree_.erase(at);
    } else {
      tree_.replace_node(at, next);
    }
  }
  rank.before_->behind_ = &next;
  next.before_ = rank.before_;
}

}  // namespace treadle
