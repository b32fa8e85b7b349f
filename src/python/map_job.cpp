#include "python/map_job.hpp"

#include <algorithm>

#include "python/helping.hpp"
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

bool MapJob::submit() {
  if (plan_.count == 0) return true;
  Scheduler& scheduler = pool_->scheduler();
  const auto tickets = static_cast<std::size_t>(
      std::min(plan_.count, static_cast<Py_ssize_t>(scheduler.max_workers())));
  tickets_ = std::make_unique<MapTicket[]>(tickets);
  FifoQueue queue;
  for (std::size_t i = 0; i < tickets; ++i) {
    tickets_[i].job = this;
    queue.push_back(tickets_[i]);
  }
  const Scheduler::Pushed pushed = scheduler.push_all(queue);
  if (pushed.refused != Closed::kNo) {
    while (Task* task = queue.pop_front()) discard_map_ticket(*task);
    pool_->raise_refused(pushed.refused);
    return false;
  }
  if (!pool_->follow_up_all(pushed)) {
    end_rest(nullptr);
    return false;
  }
  return true;
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

void MapJob::run_item(Py_ssize_t item, WorkerContexts& contexts, bool nested) {
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
  for (Py_ssize_t k = 0; k < plan_.arity; ++k) Py_CLEAR(arguments[k]);
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

void MapJob::end_rest(PyObject* exception) {
  for (Py_ssize_t item = claim(); item < plan_.count; item = claim()) {
    for (Py_ssize_t k = 0; k < plan_.arity; ++k) Py_CLEAR(plan_.arguments[item * plan_.arity + k]);
    put(item, Py_XNewRef(exception), exception != nullptr ? kException : kCancelled);
  }
}

void MapJob::abandon_in_child() {
  end_rest(nullptr);
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

void run_map_ticket(Task& task, WorkerContexts& contexts, Breather& breather, RunningCalls& calls) {
  const MapJobPtr job = std::move(static_cast<MapTicket&>(task).job);
  const RunningCalls::Scope running(calls, job->function());  // one for all items: it costs nothing
  for (Py_ssize_t item = job->claim(); item < job->count(); item = job->claim()) {
    job->run_item(item, contexts, false);
    breather.breathe();
  }
}

void discard_map_ticket(Task& task) {
  const MapJobPtr job = std::move(static_cast<MapTicket&>(task).job);
}

}  // namespace treadle::python
