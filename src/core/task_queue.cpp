#include "core/task_queue.hpp"

#include <utility>

namespace treadle {

void TaskQueue::insert(Task& task) {
  Rank& rank = *task.rank();
  rank.sequence_ = next_++;
  rank.task_ = &task;
  ranked_.insert(ranked_.end(), rank);  // behind the last: found without a search
}

Task* TaskQueue::pop_first() {
  Rank& first = *ranked_.begin();
  return plain_.empty() || precedes_plain(first) ? take(first) : plain_.pop_front();
}

Task* TaskQueue::take(Rank& rank) {
  ranked_.erase(ranked_.iterator_to(rank));
  return std::exchange(rank.task_, nullptr);
}

}  // namespace treadle
