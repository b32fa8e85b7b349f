#include "core/task_queue.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace treadle {

void TaskQueue::insert(Task& task) {
  Rank& rank = *task.rank();
  rank.sequence_ = next_++;
  rank.task_ = &task;
  place_of(rank).insert(rank);
  if (rank.reserve() != nullptr) ++reserved_;
}

Task* TaskQueue::pop_first() { return pop_startable(std::numeric_limits<std::size_t>::max()); }

Task* TaskQueue::pop_startable(std::size_t shared) {
  Rank* first = shared != 0 && !ranked_.empty() ? &ranked_.front() : nullptr;
  for (Reserve& reserve : reserves_.used_) {
    if (reserve.waiting_.empty() || (shared == 0 && reserve.free() == 0)) continue;
    Rank& candidate = reserve.waiting_.front();
    const bool precedes = first == nullptr || candidate < *first ||
                          (!(*first < candidate) && candidate.was_before(*first));
    if (precedes) first = &candidate;
  }
  const bool takes_plain = shared != 0 && !plain_.empty();
  if (first == nullptr || (takes_plain && !precedes_plain(*first))) {
    return takes_plain ? plain_.pop_front() : nullptr;
  }
  return take(*first);
}

std::size_t TaskQueue::startable(std::size_t shared) const {
  std::size_t kept = 0;
  for (const Reserve& reserve : reserves_.used_) {
    kept += std::min(reserve.waiting_.size(), reserve.free());
  }
  return kept + std::min(size() - kept, shared);
}

Task* TaskQueue::take(Rank& rank) {
  place_of(rank).erase(rank);
  if (rank.reserve() != nullptr) --reserved_;
  return std::exchange(rank.task_, nullptr);
}

}  // namespace treadle
