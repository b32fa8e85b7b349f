// What becomes of a task that finds the queue full: the four policies, and the wait for room.

#include "python/bound.hpp"

#include "python/caller_runs.hpp"
#include "python/helping.hpp"
#include "python/lifecycle.hpp"
#include "python/python_worker.hpp"
#include "python/room.hpp"
#include "python/submission.hpp"

namespace treadle::python {

namespace {

void raise_full(Pool& pool, const char* reason, std::size_t calls = 1) {
  pool.statistics().reject(calls);
  const Ref module = Ref::steal(PyImport_ImportModule("treadle.errors"));
  const Ref error = module ? Ref::steal(PyObject_GetAttrString(module.get(), "QueueFull")) : Ref();
  if (error) PyErr_Format(error.get(), reason, pool.bound()->places.bound());
}

PythonWorker* own_worker(Pool& pool) {
  PythonWorker* worker = PythonWorker::current();
  return worker != nullptr && &worker->pool() == &pool ? worker : nullptr;
}

PyObject* run_here(Pool& pool, Ref task) {
  return run_in_caller(pool, Future::of(task.get())) ? task.release() : nullptr;
}

// Cancels the future that has waited longest in one of these places and takes that over.  False
// when there is none.
bool drop_oldest(Pool& pool, const Places& places) {
  for (;;) {
    Task* const oldest = pool.scheduler().withdraw_oldest([&](Task& task) {
      if (task.kind() != kFutureTask) return false;
      const auto& future = static_cast<Future&>(task);
      return future.holds_place() && &places_of(pool, future) == &places;
    });
    if (oldest == nullptr) return false;
    auto& future = static_cast<Future&>(*oldest);
    const Ref owned = Ref::steal(future.object());  // the queue's reference
    if (!future.take_place()) continue;             // void since a moment; its place is free now
    if (future.state() == State::kPending) {
      pool.statistics().drop();
      future.cancel_for_pool();
    }
    return true;
  }
}

PyObject* push_by_dropping(Pool& pool, Ref task) {
  constexpr int kPatience = 50;
  Places& places = places_of(pool, Future::of(task.get()));
  for (int i = 0; i < kPatience; ++i) {
    if (drop_oldest(pool, places)) return push_placed(pool, task.release());
    // Others are about to queue a task, or to give a place back: no worker is needed for that.
    switch (wait_for_room(pool, places, Clock::now() + std::chrono::milliseconds(1))) {
      case Room::kTaken:
        return push_in_room(pool, task.release());
      case Room::kTimedOut:
        break;
      case Room::kError:
        return nullptr;
    }
  }
  raise_full(pool, "the queue is full: all its %zu places are kept for those who wait for one");
  return nullptr;
}

PyObject* push_by_waiting(Pool& pool, Ref task) {
  // A worker that waits here may be the only one that could make room.  One that has so many tasks
  // on its stack that it must not begin another one waits, but has somebody in its place.
  PythonWorker* worker = own_worker(pool);
  if (worker != nullptr && willing_worker() != nullptr) return run_here(pool, std::move(task));
  const BlockedWorker blocked(worker);
  const Room room = wait_for_room(pool, places_of(pool, Future::of(task.get())), std::nullopt);
  return room == Room::kTaken ? push_in_room(pool, task.release()) : nullptr;
}

}  // namespace

PyObject* push_placed(Pool& pool, PyObject* object) {
  const Ref task = Ref::borrow(object);
  Future::of(object).hold_place();
  PyObject* pushed = push_to_queue(&pool, object);
  if (pushed == nullptr) {
    const SavedError saved;
    give_back_place(pool, Future::of(task.get()));
  }
  return pushed;
}

PyObject* push_bounded(Pool& pool, PyObject* object) {
  if (places_of(pool, Future::of(object)).take() != 0) return push_placed(pool, object);
  Ref task = Ref::steal(object);
  const PoolPtr kept(&pool);  // what follows runs Python code
  if (const Closed closed = pool.scheduler().closed(); closed != Closed::kNo) {
    pool.raise_refused(closed);
    return nullptr;
  }
  switch (pool.bound()->when_full) {
    case WhenFull::kRaise:
      raise_full(pool, "the queue is full: %zu calls wait in it, as many as max_pending allows");
      return nullptr;
    case WhenFull::kRun:
      if (own_worker(pool) == nullptr) return run_here(pool, std::move(task));
      break;  // a worker does what it does where others block: run it, as deep as it may nest
    case WhenFull::kDropOldest:
      return push_by_dropping(pool, std::move(task));
    case WhenFull::kBlock:
      break;
  }
  return push_by_waiting(pool, std::move(task));
}

namespace {

// Cancels the futures from `from` to `to`, the last first, whatever error is set.
void cancel_run(PyObject* futures, Py_ssize_t from, Py_ssize_t to) {
  const SavedError saved;
  for (; to > from; --to) Future::of(PyList_GET_ITEM(futures, to - 1)).cancel_for_pool();
}

// Queues `count` of the futures in one operation; the caller has taken their places.  False with an
// error set: those were counted as rejected, or cancelled.
bool push_run(Pool& pool, PyObject* futures, Py_ssize_t from, Py_ssize_t count) {
  FifoQueue queue;
  for (Py_ssize_t i = from; i < from + count; ++i) {
    Future& future = Future::of(Py_NewRef(PyList_GET_ITEM(futures, i)));
    future.hold_place();
    queue.push_back(future);
  }
  const Scheduler::Pushed pushed = pool.scheduler().push_all(queue);
  if (pushed.refused == Closed::kNo) {
    for (Py_ssize_t i = from; i < from + count; ++i) watch_queued(PyList_GET_ITEM(futures, i));
    if (pool.follow_up_all(pushed)) return true;
    cancel_run(futures, from, from + count);  // no thread could be started, and there is none
    return false;
  }
  while (Task* task = queue.pop_front()) {
    auto& future = static_cast<Future&>(*task);
    give_back_place(pool, future);
    Py_DECREF(future.object());
  }
  pool.raise_refused(pushed.refused, static_cast<std::uint64_t>(count));
  return false;
}

// Queues futures from `from` on, at least one; gives the number of those that are queued or done,
// or, with an error set, how many were counted as rejected or cancelled, as a negative number.
Py_ssize_t push_some(Pool& pool, PyObject* futures, Py_ssize_t from) {
  Places& places = pool.bound()->places;
  const auto left = static_cast<std::size_t>(PyList_GET_SIZE(futures) - from);
  const auto taken = static_cast<Py_ssize_t>(places.take(left));
  if (taken != 0) return push_run(pool, futures, from, taken) ? taken : -taken;
  const Ref pushed = Ref::steal(push_bounded(pool, Py_NewRef(PyList_GET_ITEM(futures, from))));
  return pushed ? 1 : -1;
}

bool push_all_or_none(Pool& pool, PyObject* futures) {
  Places& places = pool.bound()->places;
  const auto count = static_cast<std::size_t>(PyList_GET_SIZE(futures));
  const std::size_t taken = places.take(count);
  if (taken == count) return push_run(pool, futures, 0, PyList_GET_SIZE(futures));
  for (std::size_t i = 0; i < taken; ++i) places.give_back();
  if (const Closed closed = pool.scheduler().closed(); closed != Closed::kNo) {
    pool.raise_refused(closed, count);
  } else {
    raise_full(pool, "the queue has no room for all of these calls: it holds %zu at most", count);
  }
  return false;
}

}  // namespace

bool push_all_bounded(Pool& pool, PyObject* futures) {
  const PoolPtr kept(&pool);
  const Py_ssize_t count = PyList_GET_SIZE(futures);
  if (pool.bound()->when_full == WhenFull::kRaise) return push_all_or_none(pool, futures);
  Py_ssize_t queued = 0, some = 0;
  for (; queued < count; queued += some) {
    some = push_some(pool, futures, queued);
    if (some < 0) break;
  }
  if (queued == count) return true;
  // One was refused, and with it the rest; or somebody has interrupted the wait for room.
  if (PyErr_ExceptionMatches(PyExc_RuntimeError) != 0) {
    pool.statistics().reject(static_cast<std::uint64_t>(count - queued + some));
  }
  cancel_run(futures, 0, queued);
  return false;
}

Places& places_of(Pool& pool, const Settings* settings) {
  return settings != nullptr && settings->reservation ? *settings->reservation->places()
                                                      : pool.bound()->places;
}

Places& places_of(Pool& pool, const Future& future) {
  const TaskOptions* options = future.options();
  return places_of(pool, options != nullptr ? options->settings() : nullptr);
}

void give_back_place(Pool& pool, Future& future) {
  if (future.take_place()) places_of(pool, future).give_back();
}

void give_back_place_of_void(Future& future) {
  const PoolPtr pool = find_pool(future.pool());
  if (!pool || !future.take_place()) return;
  places_of(*pool, future).give_back();
  pool->sweep();
}

}  // namespace treadle::python
