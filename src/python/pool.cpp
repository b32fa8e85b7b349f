#include "python/pool.hpp"

#include <algorithm>
#include <limits>

#include "python/call_report.hpp"
#include "python/caller_runs.hpp"
#include "python/lifecycle.hpp"
#include "python/map_job.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/work_queue.hpp"

namespace treadle::python {

namespace {

std::uint32_t new_pool_id() {
  static std::atomic<std::uint32_t> last{0};
  std::uint32_t id = 0;
  while (id == 0) id = last.fetch_add(1, std::memory_order_relaxed) + 1;  // only to be distinct
  return id;
}

}  // namespace

Pool::Pool(std::size_t max_workers, bool propagate_context, bool histograms, bool daemon,
           Ref executor, std::optional<KeepAlive> keep_alive)
    : scheduler_(max_workers, keep_alive),
      id_(new_pool_id()),
      statistics_(id_, histograms || reports_calls()),
      shows_histograms_(histograms),
      propagate_context_(propagate_context),
      daemon_(daemon),
      executor_(std::move(executor)) {
  register_pool(*this);
}

Pool::~Pool() { unregister_pool(*this); }

Ref Pool::executor() const {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* executor = nullptr;
  (void)PyWeakref_GetRef(executor_.get(), &executor);
  return Ref::steal(executor);
#else
  PyObject* executor = PyWeakref_GetObject(executor_.get());
  return executor == Py_None ? Ref() : Ref::borrow(executor);
#endif
}

void Pool::rank_all(double aging) {
  ranks_all_ = true;
  aging_ = aging;
}

// What a waiting task gains is what later ones lose: a level for each whole period that has passed
// since the clock began.  So the order of two tasks never changes, and nobody has to look at those
// that wait.
std::int64_t Pool::aged(std::int64_t priority) const {
  constexpr double kMost = 0x1p62;
  const std::chrono::duration<double> now = time_->now().time_since_epoch();
  const auto periods = static_cast<std::int64_t>(std::min(now.count() / aging_, kMost));
  std::int64_t level = 0;
  if (!__builtin_add_overflow(priority, periods, &level)) return level;
  return std::numeric_limits<std::int64_t>::max();
}

// Tasks of one priority in a row share them.
SettingsPtr Pool::latest_with(std::int64_t priority) {
  const ObjectLock lock(mutex_);
  if (!latest_ || latest_->priority != priority) {
    boost::intrusive_ptr<Settings> fresh(new Settings);
    fresh->priority = priority;
    fresh->tells_priority = true;
    latest_ = std::move(fresh);
  }
  return latest_;
}

bool Pool::grow() {
  const Ref executor = this->executor();
  const Ref worker = executor ? Ref::steal(PythonWorker::make(this, executor.get())) : Ref();
  Ref thread;
  if (executor && worker) {
    {
      const ObjectLock lock(mutex_);
      if (times_calls_) PythonWorker::of(worker.get()).calls().time_from({});
      seats_.push_back({worker.get(), nullptr, PyThread_get_thread_ident()});
    }
    thread =
        Ref::steal(PyObject_CallMethodOneArg(executor.get(), names.start_worker, worker.get()));
  } else if (!executor) {
    PyErr_SetString(PyExc_RuntimeError, "the executor of this pool is gone");
  }
  if (thread) {
    {
      const ObjectLock lock(mutex_);
      for (Seat& seat : seats_) {
        if (seat.worker != worker.get()) continue;
        seat.thread = thread.release();
        seat.starter = 0;
      }
    }
    if (thread) leave_executor(thread.get());  // it has ended already
    return true;
  }
  const SavedError saved;
  // Something raised while the thread was being started: it may run all the same.
  if (worker && !PythonWorker::of(worker.get()).revoke()) return false;
  if (worker) (void)forget(worker.get());
  if (Worker* other = scheduler_.cancel_growth()) other->call();
  return false;
}

bool Pool::follow_up(const Scheduler::Pushed& pushed) {
  if (pushed.wake != nullptr) pushed.wake->call();
  if (!pushed.grow) return true;
  if (!grow()) return tolerates_failed_growth();
  return !lags_.load(std::memory_order_relaxed) || grow_fully();
}

void Pool::follow_up_later(const Scheduler::Pushed& pushed) {
  if (pushed.wake != nullptr) pushed.wake->call();
  if (!pushed.grow) return;
  if (Worker* other = scheduler_.cancel_growth()) other->call();
  lags_.store(true, std::memory_order_relaxed);  // the next push may miss it: a later one does not
}

bool Pool::follow_up_all(const Scheduler::Pushed& pushed) {
  return follow_up(pushed) && grow_fully();
}

bool Pool::grow_fully() {
  lags_.store(false, std::memory_order_relaxed);
  while (scheduler_.grow_more()) {
    if (!grow()) return tolerates_failed_growth();  // every further try would fail as well
  }
  return true;
}

// True, without the error, when the pool has other threads.
bool Pool::tolerates_failed_growth() {
  const bool could_not_start = PyErr_ExceptionMatches(PyExc_RuntimeError) != 0 ||
                               PyErr_ExceptionMatches(PyExc_MemoryError) != 0;
  if (!could_not_start || scheduler_.counts().threads == 0) return false;
  PyErr_Clear();
  return true;
}

void Pool::raise_refused(Closed reason, std::uint64_t calls) {
  statistics_.reject(calls);
  if (reason == Closed::kBroken) {
    const Ref executor = this->executor();
    const Ref message =
        executor ? Ref::steal(PyObject_GetAttrString(executor.get(), "_broken")) : Ref();
    if (message) PyErr_SetObject(stdlib.broken_thread_pool, message.get());
  } else {
    PyErr_SetString(PyExc_RuntimeError,
                    reason == Closed::kExit
                        ? "cannot schedule new futures after interpreter shutdown"
                        : "cannot schedule new futures after shutdown");
  }
}

namespace {

// Returns how many work items there were, of which no future of ours tells.
template <class End, class EndItem>
std::uint64_t end_all(FifoQueue queue, End end, EndItem end_item) {
  std::uint64_t work_items = 0;
  while (Task* task = queue.pop_front()) {
    if (task->kind() == kWorkItemTask) {
      ++work_items;
      end_item(*task);
    } else if (task->kind() == kFutureTask) {
      auto& future = static_cast<Future&>(*task);
      end(future);
      Py_DECREF(future.object());
    } else {
      discard_task(*task);
    }
  }
  return work_items;
}

template <class End>
void end_all(FifoQueue queue, End end) {
  (void)end_all(std::move(queue), end, discard_task);
}

}  // namespace

void Pool::close(Closed reason) {
  scheduler_.close(reason);
  // Second: who is woken by this finds the scheduler closed.
  for_each_places([](Places& places) { places.close(); });
}

void Pool::sweep() {
  constexpr std::size_t kFewest = 64;
  const std::size_t queued = scheduler_.counts().queued;
  std::size_t taken = 0;
  for_each_places([&](const Places& places) { taken += places.taken(); });
  if (queued < kFewest || queued <= 2 * taken) return;
  // A future that is done needs no worker: whoever has ended it has told everybody.
  end_all(scheduler_.withdraw_all([](Task& task) {
    return task.kind() == kFutureTask && static_cast<Future&>(task).done();
  }),
          [this](Future& future) {
            future.discard_call();
            give_back_place(*this, future);
          });
}

template <class Visit>
void Pool::for_each_places(Visit visit) {
  if (!bound_) return;
  visit(bound_->places);
  for (const ReservationPtr& reservation : reservations()) visit(*reservation->places());
}

void Pool::add_reservation(Reservation& reservation) {
  const ObjectLock lock(mutex_);
  reservations_.push_back(&reservation);
}

void Pool::remove_reservation(Reservation& reservation) {
  const ObjectLock lock(mutex_);
  std::erase(reservations_, &reservation);
}

// Each kept alive.
std::vector<ReservationPtr> Pool::reservations() {
  std::vector<ReservationPtr> reservations;
  const ObjectLock lock(mutex_);
  for (Reservation* reservation : reservations_) {
    if (reservation->try_retain()) reservations.emplace_back(reservation, false);
  }
  return reservations;
}

void Pool::add_job(MapJob& job) {
  const ObjectLock lock(mutex_);
  jobs_.push_back(&job);
}

void Pool::remove_job(MapJob& job) {
  const ObjectLock lock(mutex_);
  std::erase(jobs_, &job);
}

// The jobs of `map` that may have items left, each kept alive.
std::vector<MapJobPtr> Pool::jobs() {
  std::vector<MapJobPtr> jobs;
  const ObjectLock lock(mutex_);
  for (MapJob* job : jobs_) {
    if (job->try_retain()) jobs.emplace_back(job, false);
  }
  return jobs;
}

bool Pool::widen_jobs() {
  for (const MapJobPtr& job : jobs()) {
    if (!job->widen()) return false;
  }
  return true;
}

void Pool::fail_queued(PyObject* exception) {
  for (const MapJobPtr& job : jobs()) job->end_rest(exception);
  const std::uint64_t work_items = end_all(
      scheduler_.drain(),
      [this, exception](Future& future) {
        if (bound_) give_back_place(*this, future);
        future.fail(exception);
      },
      [exception](Task& item) { end_work_item(item, exception); });
  statistics_.end_unstarted(Ending::kException, work_items);
}

void Pool::cancel_queued() {
  for (const MapJobPtr& job : jobs()) job->end_rest(nullptr);
  const std::uint64_t work_items = end_all(
      scheduler_.drain(), [](Future& future) { future.cancel_for_pool(); },
      [](Task& item) { end_work_item(item, nullptr); });
  statistics_.end_unstarted(Ending::kCancelled, work_items);
}

void Pool::cancel_queued_of(const Settings& settings) {
  end_all(scheduler_.withdraw_all([&](Task& task) {
    const TaskOptions* options =
        task.kind() == kFutureTask ? static_cast<Future&>(task).options() : nullptr;
    return options != nullptr && options->is_of(&settings);
  }),
          [](Future& future) { future.cancel_for_pool(); });
}

// Takes the worker off the list; its thread, if that is known.
Ref Pool::forget(PyObject* worker) {
  const ObjectLock lock(mutex_);
  const auto seat = std::find_if(seats_.begin(), seats_.end(),
                                 [&](const Seat& at) { return at.worker == worker; });
  if (seat == seats_.end()) return {};
  Ref thread = Ref::steal(seat->thread);
  seats_.erase(seat);
  return thread;
}

void Pool::retire(PyObject* worker) {
  if (const Ref thread = forget(worker)) leave_executor(thread.get());
}

// After shutdown the set stays as it is: users look there for the threads that have ended.
void Pool::leave_executor(PyObject* thread) {
  const Ref executor = this->executor();
  if (!executor || scheduler_.closed() != Closed::kNo) return;
  const Ref left = Ref::steal(PyObject_CallMethod(executor.get(), "_thread_leaves", "O", thread));
  if (!left) PyErr_WriteUnraisable(executor.get());
}

Ref Pool::threads() const {
  Ref list = Ref::steal(PyList_New(0));
  const ObjectLock lock(mutex_);
  for (const Seat& seat : seats_) {
    if (!list || seat.thread == nullptr) continue;
    if (PyList_Append(list.get(), seat.thread) < 0) list = Ref();
  }
  return list;
}

Pool::Abandoned Pool::restart_in_child() {
  for_each_places([](Places& places) { places.restart_in_child(); });
  PythonWorker* self = PythonWorker::current();
  if (self != nullptr && &self->pool() != this) self = nullptr;
  std::uint64_t running =
      self != nullptr ? self->orphan() : statistics_.restart_in_child(nullptr, 0);
  running += Outsider::restart_in_child(*this);
  return {.queue = scheduler_.restart_in_child(running), .seats = std::exchange(seats_, {})};
}

void Pool::give_up_in_child(Abandoned abandoned) {
  // The threads do not exist here, and the references on their stacks are lost with them: what a
  // dead thread held may not be counted down.
  for (const Seat& seat : abandoned.seats) {
    PythonWorker& worker = PythonWorker::of(seat.worker);
    if (&worker != PythonWorker::current()) worker.abandon_in_child();
  }
  for (const MapJobPtr& job : jobs()) job->abandon_in_child();
  end_all(std::move(abandoned.queue), [](Future& future) { future.abandon_in_child(); });
  for (const Seat& seat : abandoned.seats) Py_XDECREF(seat.thread);
}

}  // namespace treadle::python
