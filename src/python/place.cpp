// A place in a bounded queue that a task of an event loop waits for, or has.
//
// While it waits, the list of waiters owns a reference to it, and a future tells the task of the
// end of the wait.  Whatever happens to the task, the place is used once or given back: by `leave`,
// which the task calls when it is cancelled, or at the latest by the end of this object.
//
// A thread that blocks for want of a place keeps the tasks of its own loops from using what they
// have been given, or would be given meanwhile; nobody else might have a place to give back.  So it
// goes first: it takes over a place that such a task has, and those that wait ask again, later.
//
// Thread safety: one task uses it, and whoever serves the waiter, which happens once (places.hpp).
// The list of a thread's waiters, and `over` of each, are guarded by the GIL or the object mutex.

#include <boost/intrusive/list.hpp>
#include <memory>
#include <new>
#include <vector>

#include "python/future.hpp"
#include "python/python_worker.hpp"
#include "python/room.hpp"
#include "python/submission.hpp"

namespace treadle::python {

namespace {

using OfThreadHook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct WaitersOfThread;

struct Waiting : PlaceWaiter {
  Waiting(Pool& owner, SettingsPtr common);
  [[nodiscard]] Places& places() const { return places_of(*pool, settings.get()); }
  PoolPtr pool;
  SettingsPtr settings;
  const boost::intrusive_ptr<WaitersOfThread> siblings;  // whether it is one of them now, or not
  OfThreadHook hook;
  PyObject* self = nullptr;  // owned while the waiter is in the list
  Ref ready;                 // likewise
  bool holds = false;        // whoever uses the object has found out that the place has come
  bool over = true;          // used, or given back; or it was never asked for
};

// Those that wait, or have a place and have not used it, on behalf of tasks of one thread.
struct WaitersOfThread : Shared<WaitersOfThread> {
  using Hook = boost::intrusive::member_hook<Waiting, OfThreadHook, &Waiting::hook>;
  [[no_unique_address]] ObjectMutex mutex;
  boost::intrusive::list<Waiting, Hook, boost::intrusive::constant_time_size<false>> waiters;
};

WaitersOfThread& waiters_here() {
  thread_local const boost::intrusive_ptr<WaitersOfThread> own(new WaitersOfThread);
  return *own;
}

struct Place {
  PyObject_HEAD Waiting* state;
};

PyTypeObject* place_type = nullptr;

Waiting& state_of(PyObject* self) { return *reinterpret_cast<Place*>(self)->state; }

// The waiter is served: by a worker that has taken a task, say.
void serve(PlaceWaiter& waiter) {
  auto& state = static_cast<Waiting&>(waiter);
  const SavedError saved;
  const Ref self = Ref::steal(state.self);
  const Ref ready = std::move(state.ready);
  const bool given = waiter.word.load(std::memory_order_relaxed) == PlaceWaiter::kGiven;
  // Cancelled by now: its task leaves, and gives the place back then.
  if (!Future::of(ready.get()).finish(given ? Py_True : Py_False, false, true)) PyErr_Clear();
}

Waiting::Waiting(Pool& owner, SettingsPtr common)
    : PlaceWaiter(&serve), pool(&owner), settings(std::move(common)), siblings(&waiters_here()) {}

// What a waiter that has left the list owned, to be released without a lock.
struct Left {
  Ref self, ready;
};

// The place is not wanted any more, or will be used now: true when the caller has it.  Requires the
// object mutex.
bool take_over_locked(Waiting& state, Left& left) {
  if (std::exchange(state.over, true)) return false;
  state.hook.unlink();
  Places& places = state.places();
  if (places.forgot(state)) return false;  // the child of a fork has counted anew
  if (state.holds) return true;
  if (places.leave(state)) {
    left.self = Ref::steal(std::exchange(state.self, nullptr));
    left.ready = std::move(state.ready);
    return false;
  }
  return state.word.load(std::memory_order_acquire) == PlaceWaiter::kGiven;  // pairs: who served
}

bool take_over(Waiting& state) {
  Left left;
  const ObjectLock lock(state.siblings->mutex);
  return take_over_locked(state, left);
}

struct PlaceSlots {
  static PyObject* submit(PyObject* self, PyObject* const* arguments, Py_ssize_t positional,
                          PyObject* keyword_names) {
    Waiting& state = state_of(self);
    Submission submission{nullptr, 0, keyword_names};
    Order order{0, state.settings};
    if (!read_call("submit", *state.pool, arguments, positional, submission, order)) {
      return nullptr;
    }
    if (!take_over(state)) {
      PyErr_SetString(PyExc_RuntimeError, "this place was used already, or never came");
      return nullptr;
    }
    const PoolPtr pool = state.pool;
    Ref task = make_ordered_task(*pool, submission, std::move(order));
    if (task) return push_placed(*pool, task.release());
    const SavedError saved;
    state.places().give_back();
    return nullptr;
  }

  static PyObject* is_kept(PyObject* self, PyObject*) {
    Waiting& state = state_of(self);
    const ObjectLock lock(state.siblings->mutex);
    return PyBool_FromLong(state.over ? 0 : 1);
  }

  static PyObject* leave(PyObject* self, PyObject*) {
    Waiting& state = state_of(self);
    if (take_over(state)) state.places().give_back();
    Py_RETURN_NONE;
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    const std::unique_ptr<Waiting> state(reinterpret_cast<Place*>(self)->state);
    if (state && take_over(*state)) {  // it does not wait: the list would refer to it
      const SavedError saved;
      state->places().give_back();
    }
    type->tp_free(self);
    Py_DECREF(type);
  }
};

void list_here(Waiting& state) {
  const ObjectLock lock(state.siblings->mutex);
  state.siblings->waiters.push_back(state);
}

}  // namespace

bool displace_tasks_of_this_thread(const Places& places) {
  std::vector<Left> left;
  bool had_place = false;
  {
    WaitersOfThread& here = waiters_here();
    const ObjectLock lock(here.mutex);
    for (auto at = here.waiters.begin(); at != here.waiters.end() && !had_place;) {
      Waiting& state = *at++;
      if (&state.places() != &places) continue;
      had_place = take_over_locked(state, left.emplace_back());
    }
  }
  for (const Left& one : left) {
    if (one.ready && !Future::of(one.ready.get()).finish(Py_False, false, true)) PyErr_Clear();
  }
  return had_place;
}

PyObject* ask_for_place(Pool& pool, SettingsPtr settings) {
  Ref self = Ref::steal(place_type->tp_alloc(place_type, 0));
  if (!self) return nullptr;
  Waiting& state =
      *(reinterpret_cast<Place*>(self.get())->state = new Waiting(pool, std::move(settings)));
  Ref ready = Ref::steal(Future::make_for(pool.id()));
  if (!ready) return nullptr;
  state.self = Py_NewRef(self.get());
  state.ready = Ref::borrow(ready.get());
  state.over = false;
  switch (state.places().enter(state)) {
    case Places::Entered::kWaits:
      list_here(state);
      // In a worker of the pool, a loop that waits here keeps a thread from making room.
      if (PythonWorker* worker = PythonWorker::current(); worker && &worker->pool() == &pool) {
        worker->expect_wait();
      }
      return Py_BuildValue("NN", self.release(), ready.release());
    case Places::Entered::kTaken:
      state.holds = true;
      state.epoch = state.places().epoch();
      break;
    case Places::Entered::kClosed:
      state.over = true;
      break;
  }
  state.ready = Ref();
  Py_DECREF(std::exchange(state.self, nullptr));
  if (state.holds) return Py_BuildValue("NO", self.release(), Py_None);
  pool.raise_refused(pool.scheduler().closed());
  return nullptr;
}

bool make_place_type(PyObject* module) {
  using Slots = PlaceSlots;
  static PyMethodDef methods[] = {
      {"submit", as_method(&Slots::submit), METH_FASTCALL | METH_KEYWORDS,
       "submit($self, fn, /, *args, **kwargs)\n--\n\nQueue a call in this place."},
      {"is_kept", Slots::is_kept, METH_NOARGS,
       "is_kept($self, /)\n--\n\n"
       "False when a submit that would have blocked this thread has used the place."},
      {"leave", Slots::leave, METH_NOARGS,
       "leave($self, /)\n--\n\nGive the place, or the wait for it, up; nothing if it was used."},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("A place in a bounded queue, or the wait for one.")},
      {Py_tp_methods, methods},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.Place", sizeof(Place), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  place_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return place_type != nullptr &&
         PyModule_AddObjectRef(module, "Place", reinterpret_cast<PyObject*>(place_type)) == 0;
}

}  // namespace treadle::python
