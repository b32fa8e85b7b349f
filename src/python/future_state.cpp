// The Future's transitions: who may change its state, and what a final state sets in motion.
//
// The order of a final transition is the standard library's: the outcome is stored, the state
// changes, standard waiters are told and the condition is notified (both while its lock is held),
// sleepers are woken, then callbacks run, in the order in which they were added.

#include "python/future.hpp"
#include "python/group.hpp"
#include "python/log.hpp"
#include "python/loop_bridge.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

// Holds the future's `_condition`, where it has one, from a transition until `release`.
class ConditionHold {
 public:
  ConditionHold() = default;
  ConditionHold(const ConditionHold&) = delete;
  ConditionHold& operator=(const ConditionHold&) = delete;
  ~ConditionHold() { release(); }

  [[nodiscard]] FutureCondition* held() const {
    return reinterpret_cast<FutureCondition*>(condition_.get());
  }

  // False with a signal handler's exception set.
  [[nodiscard]] bool take(Ref condition) {
    release();
    condition_ = std::move(condition);
    if (held()->acquire()) return true;
    condition_ = Ref();
    return false;
  }

  void release() {
    if (!condition_) return;
    held()->release();
    condition_ = Ref();
  }

 private:
  Ref condition_;
};

struct Future::Delivered {
  State state = State::kPending;  // kPending: nothing was settled
  bool failed = false;
  bool awaited = false;
  Ref callbacks;
  Ref waiters;
  Delivery* deliveries = nullptr;
  ConditionHold hold;
};

// Runs `change` under the object lock and, where a condition exists, under its lock, which
// `delivered.hold` keeps.  `change` must not run user code.
template <class Change>
bool Future::transition(Delivered& delivered, Change change) {
  for (;;) {
    Ref condition;
    {
      const ObjectLock lock(mutex_);
      FutureCondition* needed = attachments_ == nullptr ? nullptr : attachments_->condition;
      if (needed == nullptr || needed == delivered.hold.held()) {
        change();
        return true;
      }
      condition = Ref::borrow(reinterpret_cast<PyObject*>(needed));
    }
    if (!delivered.hold.take(std::move(condition))) return false;
  }
}

// Requires the object lock.  All writers of the word hold it, so no read-modify-write is needed;
// the release pairs with the acquire in `state()`.
void Future::set_state(State state) {
  const std::uint32_t awaited = word_.load(std::memory_order_relaxed) & kAwaited;
  word_.store(static_cast<std::uint32_t>(state) | awaited, std::memory_order_release);
}

// Shows the object to the garbage collector.  Requires the object lock.
void Future::track_locked() {
  if (PyObject_GC_IsTracked(object()) == 0) PyObject_GC_Track(object());
}

// Enters a final state and moves out what it owes to others.  Requires the object lock.
void Future::settle(State state, Delivered& delivered) {
  track_locked();
  delivered.state = state;
  delivered.awaited = (word_.load(std::memory_order_relaxed) & kAwaited) != 0;
  word_.store(static_cast<std::uint32_t>(state), std::memory_order_release);  // pairs: state()
  if (attachments_ == nullptr) return;
  delivered.callbacks = Ref::borrow(attachments_->callbacks);
  delivered.deliveries = std::exchange(attachments_->deliveries, nullptr);
  if (state != State::kCancelled) delivered.waiters = Ref::borrow(attachments_->waiters);
  GroupLink* link = std::exchange(attachments_->groups, nullptr);
  while (link != nullptr) {
    GroupLink* next = std::exchange(link->next, nullptr);
    link->group->complete(*link, delivered.failed);
    link = next;
  }
}

namespace {

// What a signal handler raises while an outcome is being delivered: it stops nothing, and is raised
// when all is done.
class Interruption {
 public:
  // Takes the exception that is set, and reports it unless it is to be raised.
  void take(PyObject* future) {
    if (PyErr_ExceptionMatches(PyExc_Exception) != 0 || raised_) {
      PyErr_WriteUnraisable(future);
    } else {
      raised_ = take_raised();
    }
  }
  // False with the exception set, or (`log_everything`) reported, if there was one.
  [[nodiscard]] bool pass(PyObject* future, bool log_everything) {
    if (!raised_) return true;
    raise_object(raised_.get());
    if (!log_everything) return false;
    PyErr_WriteUnraisable(future);
    return true;
  }

 private:
  Ref raised_;
};

// Tells the standard waiters.  Errors of home-made ones must not stop the others.
void tell_waiters(PyObject* waiters, PyObject* method, PyObject* future,
                  Interruption& interruption) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiters); ++i) {
    const Ref waiter = Ref::borrow(PyList_GET_ITEM(waiters, i));
    const Ref told = Ref::steal(PyObject_CallMethodOneArg(waiter.get(), method, future));
    if (!told) interruption.take(future);
  }
}

}  // namespace

// Everything that follows a final state, in order.  With `log_everything` nothing is raised;
// without, a BaseException that is no Exception is (false, error set).
bool Future::deliver(Delivered& delivered, bool log_everything) {
  PyObject* self = object();
  Interruption interruption;
  if (delivered.waiters) {
    PyObject* method = delivered.state == State::kCancelledAndNotified ? names.add_cancelled
                       : delivered.failed                              ? names.add_exception
                                                                       : names.add_result;
    tell_waiters(delivered.waiters.get(), method, self, interruption);
  }
  if (FutureCondition* condition = delivered.hold.held()) {
    if (!condition->notify_waiters(PY_SSIZE_T_MAX)) interruption.take(self);
    delivered.hold.release();
  }
  if (delivered.awaited) unpark_all(&word_);
  if (delivered.deliveries != nullptr &&
      !deliver_to_loops(std::exchange(delivered.deliveries, nullptr), self)) {
    interruption.take(self);
  }
  if (delivered.callbacks && !invoke_callbacks(delivered.callbacks.get(), log_everything)) {
    return false;
  }
  return interruption.pass(self, log_everything);
}

bool Future::call_callback(PyObject* callback, bool log_everything) {
  const Ref called = Ref::steal(PyObject_CallOneArg(callback, object()));
  if (called) return true;
  if (!log_everything && PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
  const Ref exception = take_raised();
  log("exception", "exception calling callback for %r", object(), exception.get());
  return true;
}

// Calls the callbacks and lets go of them; the standard library keeps them in the list.
bool Future::invoke_callbacks(PyObject* callbacks, bool log_everything) {
  if (!is_exact(object())) {  // a subclass may override the method
    const Ref invoked = Ref::steal(PyObject_CallMethodNoArgs(object(), names.invoke_callbacks));
    if (!invoked && log_everything) PyErr_WriteUnraisable(object());
    return invoked || log_everything;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks); ++i) {
    const Ref callback = Ref::borrow(PyList_GET_ITEM(callbacks, i));
    if (!call_callback(callback.get(), log_everything)) return false;
  }
  return PyList_SetSlice(callbacks, 0, PY_SSIZE_T_MAX, nullptr) == 0;
}

// ---- for pools

// Requires the object lock.  Whatever was in `call` and `context` must be nothing.
void Future::take_call_locked(Call& call, Ref& context) {
  if (shape_ == CallShape::kEmpty) return;
  call.replace(std::exchange(slots_, CallSlots{}), std::exchange(shape_, CallShape::kEmpty),
               positional_);
  context = Ref::steal(std::exchange(context_, nullptr));
}

void Future::discard_call() {
  Call call;
  Ref context;
  const ObjectLock lock(mutex_);
  take_call_locked(call, context);
}

bool Future::start(Call& call, Ref& context) {
  {
    const ObjectLock lock(mutex_);
    const State now = state();
    if (now == State::kCancelledAndNotified) return false;  // its waiters know already
    if (started_out_of_turn_ || shape_ == CallShape::kEmpty) return false;
    if (now == State::kPending && attachments_ == nullptr) {
      set_state(State::kRunning);
      take_call_locked(call, context);
      return true;
    }
  }
  const int started = begin(&call, &context);
  if (started < 0) PyErr_Clear();  // logged: somebody else finished a future that a pool owns
  return started > 0;
}

bool Future::start_out_of_turn(Call& call, Ref& context) {
  const ObjectLock lock(mutex_);
  // With a condition, whose lock guards the state, the future takes its turn.
  if (state() != State::kPending || shape_ == CallShape::kEmpty) return false;
  if (attachments_ != nullptr && attachments_->condition != nullptr) return false;
  started_out_of_turn_ = true;
  set_state(State::kRunning);
  take_call_locked(call, context);
  return true;
}

const ParkingWord* Future::announce(Ref outcome, bool failed) {
  Ref replaced;  // what somebody has written into a private attribute before
  {
    const ObjectLock lock(mutex_);
    if (attachments_ == nullptr && state() == State::kRunning) {
      if (PyObject_IS_GC(outcome.get()) != 0) track_locked();  // invariant 5
      replaced = Ref::steal(std::exchange(slots_[failed ? 1 : 0], outcome.release()));
      const bool awaited = (word_.load(std::memory_order_relaxed) & kAwaited) != 0;
      // The release pairs with the acquire in `state()`: the outcome is visible with the state.
      word_.store(static_cast<std::uint32_t>(State::kFinished), std::memory_order_release);
      return awaited ? &word_ : nullptr;
    }
  }
  while (!finish(outcome.get(), failed, true)) {
    const bool finished_elsewhere = PyErr_ExceptionMatches(stdlib.invalid_state_error) != 0;
    const Ref error = take_raised();
    log("critical", "Exception in worker", nullptr, error.get());
    // Else a signal handler raised while this thread waited for the condition: the outcome must
    // not be lost for that.
    if (finished_elsewhere) break;
  }
  return nullptr;
}

void Future::fail(PyObject* exception) {
  {
    const ObjectLock lock(mutex_);
    if (started_out_of_turn_) return;
  }
  if (!finish(exception, true, true)) PyErr_Clear();  // finished or cancelled before: as well
}

void Future::cancel_for_pool() {
  if (cancel(true) < 0) PyErr_WriteUnraisable(object());
  discard_call();
}

void Future::abandon_in_child() {
  if (!done()) set_state(State::kCancelledAndNotified);
}

// ---- the Python methods' bodies

int Future::cancel(bool log_everything) {
  Delivered delivered;
  State before = State::kPending;
  if (!transition(delivered, [&] {
        before = state();
        if (before != State::kPending) return;
        // A pool's future is known to be cancelled at once.  Others follow the standard protocol:
        // whoever runs them tells the waiters, in `set_running_or_notify_cancel`.
        settle(pool_ != 0 ? State::kCancelledAndNotified : State::kCancelled, delivered);
      })) {
    return -1;
  }
  if (before != State::kPending) return is_cancelled(before) ? 1 : 0;
  return deliver(delivered, log_everything) ? 1 : -1;
}

bool Future::finish(PyObject* outcome, bool failed, bool log_everything) {
  Delivered delivered;
  Call discarded;  // the call of a future that is finished before it ran
  Ref context;
  Ref replaced;  // what somebody has written into a private attribute before
  State before = State::kPending;
  if (!transition(delivered, [&] {
        before = state();
        if (is_done(before)) return;
        take_call_locked(discarded, context);
        // As the standard library: None as an exception counts as one, and then is none.
        delivered.failed = failed;
        PyObject* stored = failed && outcome == Py_None ? nullptr : Py_NewRef(outcome);
        replaced = Ref::steal(std::exchange(slots_[failed ? 1 : 0], stored));
        settle(State::kFinished, delivered);
      })) {
    return false;
  }
  if (!is_done(before)) return deliver(delivered, log_everything);
  delivered.hold.release();
  PyErr_Format(stdlib.invalid_state_error, "%U: %R",
               stdlib.state_names[static_cast<std::size_t>(before)], object());
  return false;
}

int Future::set_running_or_notify_cancel() { return begin(nullptr, nullptr); }

// The same; a pool's worker takes the call in the same step.
int Future::begin(Call* call, Ref* context) {
  Delivered delivered;
  State before = State::kPending;
  if (!transition(delivered, [&] {
        before = state();
        if (before == State::kPending) {
          set_state(State::kRunning);
          if (call != nullptr) take_call_locked(*call, *context);
        }
        if (before == State::kCancelled) settle(State::kCancelledAndNotified, delivered);
      })) {
    return -1;
  }
  if (before == State::kPending) return 1;
  if (before == State::kCancelled) {
    delivered.callbacks = Ref();  // `cancel` has called them
    return deliver(delivered, false) ? 0 : -1;
  }
  delivered.hold.release();
  const Ref arguments = Ref::steal(
      Py_BuildValue("(sNO)", "Future %s in unexpected state: %s", PyLong_FromVoidPtr(object()),
                    stdlib.state_names[static_cast<std::size_t>(before)]));
  const Ref critical = Ref::steal(PyObject_GetAttrString(stdlib.logger, "critical"));
  const Ref logged = arguments && critical
                         ? Ref::steal(PyObject_CallObject(critical.get(), arguments.get()))
                         : Ref();
  if (logged) PyErr_SetString(PyExc_RuntimeError, "Future in unexpected state");
  return -1;
}

void Future::write_state(State state) {
  Delivered delivered;
  {
    const ObjectLock lock(mutex_);
    if (!is_done(state) || done()) {
      set_state(state);
      return;
    }
    settle(state, delivered);
    // The rest is the business of whoever writes by hand, as with the standard library.
    word_.store(static_cast<std::uint32_t>(state) | (delivered.awaited ? kAwaited : 0),
                std::memory_order_release);  // pairs with the acquire in `state()`
  }
  if (delivered.deliveries != nullptr && !deliver_to_loops(delivered.deliveries, object())) {
    PyErr_WriteUnraisable(object());
  }
}

bool Future::wait_for_writers() {
  Delivered delivered;
  return transition(delivered, [] {});
}

// Requires the object lock.
Attachments& Future::attachments_locked() {
  if (done()) track_locked();
  if (attachments_ == nullptr) attachments_ = new Attachments;
  return *attachments_;
}

bool Future::add_done_callback(PyObject* callback) {
  Delivered delivered;
  Ref list = Ref::steal(PyList_New(0));  // before the lock: it may run the garbage collector
  if (!list) return false;
  bool finished = false;
  bool added = false;
  if (!transition(delivered, [&] {
        finished = done();
        if (finished) return;
        PyObject*& callbacks = attachments_locked().callbacks;
        if (callbacks == nullptr) callbacks = list.release();
        added = PyList_Append(callbacks, callback) == 0;
      })) {
    return false;
  }
  delivered.hold.release();
  return finished ? call_callback(callback, false) : added;
}

bool Future::attach_delivery(Delivery* delivery) {
  const ObjectLock lock(mutex_);
  if (done()) return false;
  delivery->next = std::exchange(attachments_locked().deliveries, delivery);
  return true;
}

bool Future::attach_group(GroupLink* link) {
  const ObjectLock lock(mutex_);
  if (done()) return false;
  link->next = std::exchange(attachments_locked().groups, link);
  link->pending = true;
  return true;
}

void Future::detach_group(GroupLink* link) {
  const ObjectLock lock(mutex_);
  if (!link->pending) return;
  GroupLink** at = &attachments_->groups;
  while (*at != link) at = &(*at)->next;
  *at = link->next;
  link->pending = false;
}

// A new reference to the `_condition`, made now if there is none.
PyObject* Future::condition() {
  {
    const ObjectLock lock(mutex_);
    if (attachments_ != nullptr && attachments_->condition != nullptr) {
      return Py_NewRef(reinterpret_cast<PyObject*>(attachments_->condition));
    }
  }
  Ref made = Ref::steal(FutureCondition::make(&word_));
  if (!made) return nullptr;
  const ObjectLock lock(mutex_);
  FutureCondition*& condition = attachments_locked().condition;
  if (condition == nullptr) condition = reinterpret_cast<FutureCondition*>(made.release());
  return Py_NewRef(reinterpret_cast<PyObject*>(condition));
}

}  // namespace treadle::python
