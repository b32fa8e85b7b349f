// The queue against a sorted vector, over fixed pseudo-random sequences of operations.

#include "core/task_queue.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include "check.hpp"

namespace treadle::test {
namespace {

struct RankedTask : Task {
  RankedTask() : Task(7) {}
  void set(std::unique_ptr<Rank> own) {
    rank_of = std::move(own);
    set_rank(rank_of.get(), rank_of != nullptr);
  }
  std::unique_ptr<Rank> rank_of;
};

// What the queue has to be: sorted by level and deadline, and stable.
class Model {
 public:
  struct Entry {
    std::int64_t level, deadline;
    Task* task;
    std::uint64_t number;  // in the order of submission
  };

  void push(Task& task, std::int64_t level, std::int64_t deadline) {
    const Entry entry{level, deadline, &task, ++last};
    const auto behind = std::upper_bound(
        entries.begin(), entries.end(), entry, [](const Entry& left, const Entry& right) {
          return std::pair(left.level, left.deadline) < std::pair(right.level, right.deadline);
        });
    entries.insert(behind, entry);
  }

  // Of those of the highest level among the wanted, the one that came first; those without rank,
  // which do not know when they came, before others of their level.
  template <class Wanted>
  Task* oldest(Wanted wanted) const {
    const auto key = [](const Entry& entry) {
      return std::tuple(-entry.level, entry.task->is_ranked(), entry.number);
    };
    const Entry* found = nullptr;
    for (const Entry& entry : entries) {
      if (wanted(*entry.task) && (found == nullptr || key(entry) < key(*found))) found = &entry;
    }
    return found != nullptr ? found->task : nullptr;
  }

  Task* pop() {
    if (entries.empty()) return nullptr;
    Task* first = entries.front().task;
    entries.erase(entries.begin());
    return first;
  }

  // The entry of a task that was in the model, which is taken out.
  std::unique_ptr<Entry> remove(Task& task) {
    const auto at = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& entry) { return entry.task == &task; });
    if (at == entries.end()) return nullptr;
    auto entry = std::make_unique<Entry>(*at);
    entries.erase(at);
    return entry;
  }

  std::vector<Entry> entries;
  std::uint64_t last = 0;
};

// With `plain`, tasks of level 0 without deadline come without a rank.
void keeps_the_order(bool plain) {
  std::mt19937 random(plain ? 20260719 : 20260720);
  std::vector<RankedTask> tasks(96);
  std::vector<RankedTask*> outside;
  outside.reserve(tasks.size());
  for (RankedTask& task : tasks) outside.push_back(&task);
  const auto number_of = [&](const Task& task) {
    return static_cast<std::size_t>(static_cast<const RankedTask*>(&task) - tasks.data());
  };
  TaskQueue queue;
  Model model;
  for (int step = 0; step < 60000; ++step) {
    switch (random() % 10) {
      case 0:
      case 1:
      case 2: {
        if (outside.empty()) break;
        RankedTask& task = *outside.back();
        outside.pop_back();
        const auto level = static_cast<std::int64_t>(random() % 5) - 2;
        const std::int64_t deadline =
            random() % 2 == 0 ? Rank::kNoDeadline : static_cast<std::int64_t>(random() % 4);
        const bool ranked = !plain || level != 0 || deadline != Rank::kNoDeadline;
        task.set(ranked ? std::make_unique<Rank>(level, deadline) : nullptr);
        queue.push_back(task);
        model.push(task, level, deadline);
        break;
      }
      case 3:
      case 4: {
        Task* task = queue.pop_front();
        CHECK(task == model.pop());
        if (task != nullptr) outside.push_back(static_cast<RankedTask*>(task));
        break;
      }
      case 5: {
        RankedTask& task = tasks[random() % tasks.size()];
        if (!task.is_ranked()) break;
        const bool removed = queue.remove(task);
        CHECK(removed == (model.remove(task) != nullptr));
        if (removed) outside.push_back(&task);
        break;
      }
      case 6: {
        RankedTask& task = tasks[random() % tasks.size()];
        if (!task.is_ranked()) break;
        std::int64_t level = static_cast<std::int64_t>(random() % 5) - 2;
        if (plain && level == 0 && task.rank()->deadline() == Rank::kNoDeadline) level = 1;
        const bool moved = queue.move(task, level);
        const auto entry = model.remove(task);
        CHECK(moved == (entry != nullptr));
        if (moved) model.push(task, level, entry->deadline);
        break;
      }
      case 7: {
        const auto wanted = [&, parity = random() % 2](const Task& task) {
          return number_of(task) % 2 == parity;
        };
        Task* removed = queue.remove_oldest(wanted);
        CHECK(removed == model.oldest(wanted));
        if (removed == nullptr) break;
        model.remove(*removed);
        outside.push_back(static_cast<RankedTask*>(removed));
        break;
      }
      case 8: {
        if (random() % 8 != 0) break;
        const auto wanted = [&, third = random() % 3](const Task& task) {
          return number_of(task) % 3 == third;
        };
        FifoQueue removed = queue.remove_all(wanted);
        while (Task* task = removed.pop_front()) {
          CHECK(model.remove(*task) != nullptr);
          outside.push_back(static_cast<RankedTask*>(task));
        }
        CHECK(model.oldest(wanted) == nullptr);
        break;
      }
      default: {
        Task* wanted = &tasks[random() % tasks.size()];
        Task* removed = queue.remove_first([&](Task& task) { return &task == wanted; });
        CHECK((removed != nullptr) == (model.remove(*wanted) != nullptr));
        if (removed != nullptr) outside.push_back(static_cast<RankedTask*>(removed));
      }
    }
    CHECK(queue.size() == model.entries.size());
    CHECK(queue.empty() == model.entries.empty());
  }
  FifoQueue drained = queue.drain();
  CHECK(queue.empty());
  while (Task* task = drained.pop_front()) CHECK(task == model.pop());
  CHECK(model.entries.empty());
}

void appends_batches_of_either_kind() {
  std::vector<RankedTask> tasks(6);
  tasks[3].set(std::make_unique<Rank>(1));
  tasks[4].set(std::make_unique<Rank>(1));
  tasks[5].set(std::make_unique<Rank>(-1));
  TaskQueue queue;
  FifoQueue plain, high, low, none;
  for (int i : {0, 1, 2}) plain.push_back(tasks[static_cast<std::size_t>(i)]);
  for (int i : {3, 4}) high.push_back(tasks[static_cast<std::size_t>(i)]);
  low.push_back(tasks[5]);
  for (FifoQueue* batch : {&high, &plain, &low, &none}) {
    queue.append(*batch);
    CHECK(batch->empty());
  }
  for (int i : {5, 0, 1, 2, 3, 4}) CHECK(queue.pop_front() == &tasks[static_cast<std::size_t>(i)]);
  CHECK(queue.pop_front() == nullptr);
}

}  // namespace
}  // namespace treadle::test

int main() {
  treadle::test::keeps_the_order(true);
  treadle::test::keeps_the_order(false);
  treadle::test::appends_batches_of_either_kind();
  return 0;
}
