// The queue against std::deque, over a fixed pseudo-random sequence of operations.

#include "core/fifo_queue.hpp"

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include "check.hpp"

namespace treadle::test {
namespace {

struct NumberedTask : Task {
  NumberedTask() : Task(7) {}
};

void behaves_as_a_deque() {
  std::mt19937 random(20240607);
  std::vector<NumberedTask> tasks(64);
  std::deque<Task*> outside;
  for (NumberedTask& task : tasks) outside.push_back(&task);
  std::deque<Task*> model;
  FifoQueue queue;
  for (int step = 0; step < 20000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1:
        if (!outside.empty()) {
          queue.push_back(*outside.front());
          model.push_back(outside.front());
          outside.pop_front();
        }
        break;
      case 2: {
        Task* task = queue.pop_front();
        CHECK(task == (model.empty() ? nullptr : model.front()));
        if (task != nullptr) {
          model.pop_front();
          outside.push_back(task);
        }
        break;
      }
      default: {
        Task* wanted = &tasks[random() % tasks.size()];
        Task* removed = queue.remove_first([&](Task& task) { return &task == wanted; });
        const auto place = std::find(model.begin(), model.end(), wanted);
        CHECK((removed != nullptr) == (place != model.end()));
        if (removed != nullptr) {
          model.erase(place);
          outside.push_back(removed);
        }
      }
    }
    CHECK(queue.size() == model.size());
    CHECK(queue.empty() == model.empty());
  }
}

void taking_out_many_keeps_both_orders() {
  std::vector<NumberedTask> tasks(10);
  FifoQueue queue;
  for (NumberedTask& task : tasks) queue.push_back(task);
  const auto is_third = [&](Task& task) {
    return (&static_cast<NumberedTask&>(task) - tasks.data()) % 3 == 0;
  };
  FifoQueue thirds = queue.remove_all(is_third);
  CHECK(thirds.size() == 4 && queue.size() == 6);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    CHECK((i % 3 == 0 ? thirds : queue).pop_front() == &tasks[i]);
  }
  CHECK(queue.remove_all(is_third).empty() && queue.empty() && thirds.empty());
}

void appending_keeps_both_orders() {
  std::vector<NumberedTask> tasks(4);
  FifoQueue first, second;
  first.push_back(tasks[0]);
  first.push_back(tasks[1]);
  second.push_back(tasks[2]);
  second.push_back(tasks[3]);
  first.append(second);
  CHECK(second.empty() && second.size() == 0 && first.size() == 4);
  first.append(second);  // nothing: a no-op
  for (NumberedTask& task : tasks) CHECK(first.pop_front() == &task);
  CHECK(first.pop_front() == nullptr);
  CHECK(tasks[0].kind() == 7);
}

}  // namespace
}  // namespace treadle::test

int main() {
  treadle::test::behaves_as_a_deque();
  treadle::test::taking_out_many_keeps_both_orders();
  treadle::test::appending_keeps_both_orders();
}
