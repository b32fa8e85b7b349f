#include "python/map_job.hpp"

#include <algorithm>

#include "python/call_report.hpp"
#include "python/helping.hpp"
#include "python/merging.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

struct MapTicket : Task {
  MapTicket() : Task(kMapTask) {}
  MapJobPtr job;
};

MapJob::MapJob(PoolPtr pool, Plan plan)
    : pool_(std::move(pool)),
      plan_(std::move(plan)),
      slots_(std::make_unique<PyObject*[]>(static_cast<std::size_t>(plan_.count))),
      statuses_(
          std::make_unique<std::atomic<std::uint8_t>[]>(static_cast<std::size_t>(plan_.count))) {
  pool_->add_job(*this);
}

MapJob::~MapJob() {
  pool_->remove_job(*this);
  for (Py_ssize_t i = 0; i < plan_.count; ++i) {
    Py_CLEAR(slots_[static_cast<std::size_t>(i)]);
    for (Py_ssize_t k = 0; k < plan_.arity; ++k) Py_CLEAR(plan_.arguments[i * plan_.arity + k]);
  }
  PyMem_Free(plan_.arguments);
}

// As many tickets as workers may take part who do not yet; with the first come the items, which
// count as submitted.
Scheduler::Pushed MapJob::queue_tickets(std::uint64_t submitted) {
  const Py_ssize_t left = plan_.count - cursor_.load(std::memory_order_relaxed);
  const Py_ssize_t live = live_tickets_.load(std::memory_order_relaxed);
  const auto most = static_cast<Py_ssize_t>(scheduler().max_workers());
  const Py_ssize_t count = std::min(left, most - live);
  if (count <= 0) return {};
  FifoQueue queue;
  {
    auto tickets = std::make_unique<MapTicket[]>(static_cast<std::size_t>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
      tickets[static_cast<std::size_t>(i)].job = this;
      queue.push_back(tickets[static_cast<std::size_t>(i)]);
    }
    const ObjectLock lock(mutex_);
    tickets_.push_back(std::move(tickets));
  }
  live_tickets_.fetch_add(count, std::memory_order_relaxed);
  const Scheduler::Pushed pushed = scheduler().push_all(queue, submitted);
  while (Task* task = queue.pop_front()) discard_map_ticket(*task);  // refused
  return pushed;
}

bool MapJob::submit() {
  if (plan_.count == 0) return true;
  const Scheduler::Pushed pushed = queue_tickets(static_cast<std::uint64_t>(plan_.count));
  if (pushed.refused != Closed::kNo) {
    pool_->raise_refused(pushed.refused, static_cast<std::uint64_t>(plan_.count));
    return false;
  }
  if (!pool_->follow_up_all(pushed)) {
    end_rest(nullptr);
    return false;
  }
  return true;
}

bool MapJob::widen() {
  const Scheduler::Pushed pushed = queue_tickets(0);
  return pushed.refused != Closed::kNo || pool_->follow_up_all(pushed);
}

bool MapJob::stop_run(Worker& seat) {
  Py_ssize_t runners = runners_.load(std::memory_order_relaxed);
  do {
    if (runners <= 1) return false;
  } while (!runners_.compare_exchange_weak(runners, runners - 1, std::memory_order_relaxed));
  if (scheduler().give_up_seat(seat)) return true;
  begin_run();
  return false;
}

Py_ssize_t MapJob::claim() {
#ifdef Py_GIL_DISABLED
  return cursor_.fetch_add(1, std::memory_order_relaxed);  // statuses publish, not the cursor
#else
  const Py_ssize_t item = cursor_.load(std::memory_order_relaxed);
  cursor_.store(item + 1, std::memory_order_relaxed);
  return item;
#endif
}

bool MapJob::claim(Py_ssize_t item) {
  return cursor_.compare_exchange_strong(item, item + 1, std::memory_order_relaxed);
}

PyObject* MapJob::call(PyObject** arguments) const {
  constexpr Py_ssize_t kOnStack = 8;
  const Py_ssize_t arity = plan_.arity;
  PyObject* stack[kOnStack + 1];
  const auto flags = static_cast<std::size_t>(arity);
  if (arity > kOnStack) return PyObject_Vectorcall(plan_.fn.get(), arguments, flags, nullptr);
  stack[0] = nullptr;  // the callee may borrow the slot before the arguments
  std::copy_n(arguments, arity, stack + 1);
  return PyObject_Vectorcall(plan_.fn.get(), stack + 1, flags | PY_VECTORCALL_ARGUMENTS_OFFSET,
                             nullptr);
}

void MapJob::run_item(Py_ssize_t item, WorkerContexts& contexts, WorkerStatistics& statistics,
                      bool nested) {
  const Moment started = statistics.start(plan_.submission);
  PyObject** arguments = plan_.arguments + item * plan_.arity;
  PyObject* outcome = nullptr;
  const auto make = [&] { return unless_exiting([&] { return call(arguments); }); };
  if (!plan_.context) {
    outcome = contexts.run(make, nullptr, nested);
  } else if (const Ref own = Ref::steal(PyContext_Copy(plan_.context.get()))) {
    outcome = contexts.run(make, own.get(), nested);
  }
  Status status = kResult;
  if (outcome == nullptr) {
    outcome = take_raised().release();
    status = kException;
  }
  if (started != 0 && reports_calls()) {
    report_call(plan_.fn.get(), arguments[0], plan_.submission, started);
  }
  for (Py_ssize_t k = 0; k < plan_.arity; ++k) Py_CLEAR(arguments[k]);
  statistics.end_run(started);
  statistics.end(status == kResult ? Ending::kResult : Ending::kException);
  put(item, outcome, status);
}

// Takes over `outcome`.
void MapJob::put(Py_ssize_t item, PyObject* outcome, Status status) {
  // Only distinctness matters here; the status below publishes.
  if (!plan_.ordered) item = finished_.fetch_add(1, std::memory_order_relaxed);
  if (item >= plan_.count) {  // in the child of a fork that this very item has made
    Py_XDECREF(outcome);
    return;
  }
  const auto slot = static_cast<std::size_t>(item);
  slots_[slot] = outcome;
#ifdef Py_GIL_DISABLED
  // Release pairs with the acquire in `read_status`; the exchange, with the reader's fetch_or.
  const std::uint8_t before = statuses_[slot].exchange(status, std::memory_order_acq_rel);
#else
  const std::uint8_t before = statuses_[slot].load(std::memory_order_relaxed);
  statuses_[slot].store(status, std::memory_order_release);
#endif
  if ((before & kAwaited) == 0) return;
  word_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in `wait_for`
  unpark_all(&word_);
}

void MapJob::end_rest(PyObject* exception) { take_rest(exception, true); }

void MapJob::take_rest(PyObject* exception, bool counted) {
  const Ending ending = exception != nullptr ? Ending::kException : Ending::kCancelled;
  for (Py_ssize_t item = claim(); item < plan_.count; item = claim()) {
    for (Py_ssize_t k = 0; k < plan_.arity; ++k) Py_CLEAR(plan_.arguments[item * plan_.arity + k]);
    if (counted) pool_->statistics().end_unstarted(ending);
    put(item, Py_XNewRef(exception), exception != nullptr ? kException : kCancelled);
  }
}

void MapJob::abandon_in_child() {
  take_rest(nullptr, false);
  for (Py_ssize_t slot = read_; slot < plan_.count; ++slot) {
    std::atomic<std::uint8_t>& status = statuses_[static_cast<std::size_t>(slot)];
    // One thread is left: no order matters.
    if (read_status(slot) == kWaiting) status.store(kCancelled, std::memory_order_relaxed);
  }
  finished_.store(plan_.count, std::memory_order_relaxed);
}

MapJob::Status MapJob::read_status(Py_ssize_t slot) const {
  const std::uint8_t status =
      statuses_[static_cast<std::size_t>(slot)].load(std::memory_order_acquire);
  return static_cast<Status>(status & ~kAwaited);
}

// Waits until a slot is filled, helping in a worker.  False with an error set.
bool MapJob::wait_for(Py_ssize_t slot) {
  PythonWorker* worker = PythonWorker::current();
  if (worker != nullptr && &worker->pool() != pool_.get()) worker = nullptr;
  // Only the item that is waited for may run here (helping.hpp); unordered, there is no such.
  const bool may_run =
      worker != nullptr && willing_worker() != nullptr && plan_.ordered && !plan_.deadline;
  while (read_status(slot) == kWaiting) {
    if (may_run && worker->run_map_item(*this, slot)) continue;
    const std::uint32_t seen = word_.load(std::memory_order_acquire);
    const std::uint8_t before =
        statuses_[static_cast<std::size_t>(slot)].fetch_or(kAwaited, std::memory_order_acq_rel);
    if ((before & ~kAwaited) != kWaiting) return true;
    const BlockedWorker blocked(worker);
    switch (wait_for_change(word_, seen, plan_.deadline)) {
      case Waited::kError:
        return false;
      case Waited::kTimedOut:
        if (read_status(slot) != kWaiting) return true;
        PyErr_SetNone(stdlib.timeout_error);
        return false;
      case Waited::kLookAgain:
        break;
    }
  }
  return true;
}

PyObject* MapJob::next() {
  if (read_ >= plan_.count) return nullptr;
  const Py_ssize_t slot = read_++;
  Status status = read_status(slot);
  if (status == kWaiting) {
    if (!wait_for(slot)) {
      close();
      return nullptr;
    }
    status = read_status(slot);
  }
  PyObject* outcome = std::exchange(slots_[static_cast<std::size_t>(slot)], nullptr);
  if (status == kResult) return outcome;
  const Ref exception = Ref::steal(outcome);
  // As a generator: an item that raises ends the iteration.
  close();
  if (status == kCancelled) {
    PyErr_SetNone(stdlib.cancelled_error);
  } else {
    raise_object(exception.get());
  }
  return nullptr;
}

void MapJob::close() {
  if (!started_) return;
  const SavedError saved;
  const Py_ssize_t from = std::exchange(read_, plan_.count);
  end_rest(nullptr);
  for (Py_ssize_t slot = from; slot < plan_.count; ++slot) {
    // What is still running fills its slot later; the job's end releases that.
    if (read_status(slot) != kWaiting) Py_CLEAR(slots_[static_cast<std::size_t>(slot)]);
  }
}

int MapJob::traverse(visitproc visit, void* arg) {
  // While tickets are about, the job is held from outside Python: nothing in it is garbage.
  if (is_shared()) return 0;
  Py_VISIT(plan_.fn.get());
  Py_VISIT(plan_.context.get());
  for (Py_ssize_t slot = read_; slot < plan_.count; ++slot) {
    Py_VISIT(slots_[static_cast<std::size_t>(slot)]);
  }
  return 0;
}

void run_map_ticket(Task& task, Worker& seat, WorkerContexts& contexts, Breather& breather,
                    WorkerStatistics& statistics, RunningCalls& calls) {
  const MapJobPtr kept = std::move(static_cast<MapTicket&>(task).job);
  MapJob& job = *kept;
  const RunningCalls::Scope running(calls, job.function());  // one for all items: it costs nothing
  const Scheduler& scheduler = job.scheduler();
  std::uint32_t shrinks = scheduler.shrinks();
  job.begin_run();
  for (;;) {
    if (shrinks != scheduler.shrinks()) {
      shrinks = scheduler.shrinks();
      if (job.stop_run(seat)) {
        job.end_ticket();
        return;
      }
    }
    const Py_ssize_t item = job.claim();
    if (item >= job.count()) break;
    job.run_item(item, contexts, statistics, false);
    if (breather.breathe()) statistics.expect_pause();
    merge_references(contexts.thread());
  }
  job.end_run();
  job.end_ticket();
}

void discard_map_ticket(Task& task) {
  const MapJobPtr job = std::move(static_cast<MapTicket&>(task).job);
  job->end_ticket();
}

}  // namespace treadle::python
