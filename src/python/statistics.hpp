// A pool's statistics as Python sees them, and as futures find them.
//
// A future is counted by the worker that runs it.  One that ends before, because it is cancelled in
// the queue, say, is counted by whoever ends it, who knows no more of its pool than its number: so
// pools are listed by their numbers here.
//
// Thread safety: any attached thread.  `end_unstarted` and its siblings may be called under an
// object lock.
// Invariant: a future that its pool has taken, and neither run nor let go, counts as pending there
// exactly as long as it holds its call.
#pragma once

#include <boost/intrusive/unordered_set.hpp>

#include "core/statistics.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

class Pool;

class PoolStatistics : public Statistics, public boost::intrusive::unordered_set_base_hook<> {
 public:
  // Listed while alive.
  PoolStatistics(std::uint32_t pool, bool histograms);
  ~PoolStatistics();

  [[nodiscard]] std::uint32_t pool() const { return pool_; }

 private:
  const std::uint32_t pool_;
};

// For futures of the pool with this number; nothing when it is gone.
void end_unstarted(std::uint32_t pool, Ending ending);
void abandon(std::uint32_t pool);
void end_abandoned(std::uint32_t pool);

// The values of ExecutorStatistics, in its order: a tuple, or null with an error set.
[[nodiscard]] PyObject* describe_statistics(Pool& pool);

// In the child of a fork, before the pools restart.
void restart_statistics_in_child();

[[nodiscard]] bool make_statistics(PyObject* module);

}  // namespace treadle::python
