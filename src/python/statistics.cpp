#include "python/statistics.hpp"

#include <vector>

#include "python/pool.hpp"

namespace treadle::python {

namespace {

struct NumberOf {
  using type = std::uint32_t;
  type operator()(const PoolStatistics& statistics) const { return statistics.pool(); }
};

using Listed =
    boost::intrusive::unordered_set<PoolStatistics, boost::intrusive::key_of_value<NumberOf>,
                                    boost::intrusive::constant_time_size<false>>;

struct Registry {
  Mutex mutex;
  Listed::bucket_type buckets[256];
  Listed pools{Listed::bucket_traits(buckets, 256)};
};

// Never destroyed: pools may outlive static destruction.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

template <class Count>
void count_for(std::uint32_t pool, Count count) {
  if (pool == 0) return;
  const MutexLock lock(registry().mutex);
  const auto found = registry().pools.find(pool);
  if (found != registry().pools.end()) count(*found);
}

constexpr double kSecond = 1e9;  // in nanoseconds

// Count, mean, p50, p90, p99, max, the last five in seconds.
PyObject* describe(const HistogramTotals& totals) {
  return Py_BuildValue("(Kddddd)", static_cast<unsigned long long>(totals.count()),
                       totals.mean() / kSecond, totals.percentile(0.5) / kSecond,
                       totals.percentile(0.9) / kSecond, totals.percentile(0.99) / kSecond,
                       static_cast<double>(totals.greatest) / kSecond);
}

PyObject* none() { return Py_NewRef(Py_None); }

// _summarize(durations, parts): what statistics tell of durations in nanoseconds, noted in so many
// histograms in turn.
PyObject* summarize(PyObject*, PyObject* args) {
  PyObject* durations = nullptr;
  Py_ssize_t parts = 1;
  if (PyArg_ParseTuple(args, "O!|n:_summarize", &PyList_Type, &durations, &parts) == 0) {
    return nullptr;
  }
  if (parts < 1) {
    return PyErr_Format(PyExc_ValueError, "parts must be at least 1, not %zd", parts);
  }
  std::vector<Histogram> histograms(static_cast<std::size_t>(parts));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(durations); ++i) {
    const long long duration = PyLong_AsLongLong(PyList_GET_ITEM(durations, i));
    if (duration == -1 && PyErr_Occurred() != nullptr) return nullptr;
    histograms[static_cast<std::size_t>(i % parts)].record(duration);
  }
  HistogramTotals totals;
  for (const Histogram& histogram : histograms) {
    HistogramTotals part;
    histogram.add_to(part);
    totals.add(part);
  }
  return describe(totals);
}

PyMethodDef functions[] = {{"_summarize", summarize, METH_VARARGS, nullptr}, {}};

}  // namespace

PoolStatistics::PoolStatistics(std::uint32_t pool, bool histograms)
    : Statistics(histograms), pool_(pool) {
  const MutexLock lock(registry().mutex);
  registry().pools.insert(*this);
}

PoolStatistics::~PoolStatistics() {
  const MutexLock lock(registry().mutex);
  registry().pools.erase(registry().pools.iterator_to(*this));
}

void end_unstarted(std::uint32_t pool, Ending ending) {
  count_for(pool, [ending](Statistics& statistics) { statistics.end_unstarted(ending); });
}

void abandon(std::uint32_t pool) {
  count_for(pool, [](Statistics& statistics) { statistics.abandon(); });
}

void end_abandoned(std::uint32_t pool) {
  count_for(pool, [](Statistics& statistics) { statistics.end_abandoned(); });
}

void restart_statistics_in_child() { registry().mutex.reset_after_fork(); }

PyObject* describe_statistics(Pool& pool) {
  const bool measured = pool.shows_histograms();
  const auto durations = measured ? std::make_unique<Statistics::DurationTotals>() : nullptr;
  const Statistics::Totals totals = pool.statistics().read(durations.get());
  const Scheduler::Counts counts = pool.scheduler().counts();  // after the totals: see `read`
  const Moment since = totals.running_since;
  const Moment longest = since == 0 ? 0 : std::max<Moment>(current_moment() - since, 0);
  const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
  return Py_BuildValue(
      "(KKKKKKKKKKKKNNN)", number(pool.scheduler().max_workers()), number(counts.threads),
      number(counts.idle), number(totals.pending(counts.submitted)), number(totals.running()),
      number(totals.submitted(counts.submitted)), number(totals.ended[0]), number(totals.ended[1]),
      number(totals.ended[2]), number(totals.dropped), number(totals.rejected),
      number(totals.abandoned),
      measured ? PyFloat_FromDouble(static_cast<double>(longest) / kSecond) : none(),
      measured ? describe(durations->queue_wait) : none(),
      measured ? describe(durations->run_time) : none());
}

bool make_statistics(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace treadle::python
