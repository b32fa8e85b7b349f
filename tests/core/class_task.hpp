// Held tasks that have a class, and reserves for them.
#pragma once

#include "held_task.hpp"
#include "native_pool.hpp"

namespace treadle::test {

// A task of a class; `level` 0 and no class: without a rank, as in a pool without priorities.
struct ClassTask : HeldTask {
  void belong_to(const TaskClass& common, std::int64_t level = 0) {
    own = std::make_unique<Rank>(level, Rank::kNoDeadline, &common);
    set_rank(own.get(), true);
  }
  void rank(std::int64_t level) {
    own = std::make_unique<Rank>(level);
    set_rank(own.get(), true);
  }
  std::unique_ptr<Rank> own;
};

inline TaskClass open(NativePool& pool, std::size_t workers) {
  Reserve* reserve = pool.scheduler.open_reserve(workers);
  CHECK(reserve != nullptr);
  return {.reserve = reserve};
}

}  // namespace treadle::test
