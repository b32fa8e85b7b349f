// The future as a pool's task: it is started with its call, and its outcome is announced.

#include "python/bound.hpp"
#include "python/future_transition.hpp"
#include "python/lifecycle.hpp"
#include "python/log.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

namespace {

// treadle.errors.DeadlineExceeded, or null with an error set.
Ref make_deadline_exceeded() {
  const Ref errors = Ref::steal(PyImport_ImportModule("treadle.errors"));
  return errors ? Ref::steal(PyObject_CallMethod(errors.get(), "DeadlineExceeded", "s",
                                                 "the task did not start before its deadline"))
                : Ref();
}

}  // namespace

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

// A ranked future that has ended need not wait for its turn in the queue.  The caller holds a
// reference.
void Future::leave_rank() {
  const PoolPtr owner = find_pool(pool());
  if (!owner || !owner->scheduler().remove(*this)) return;
  discard_call();
  Py_DECREF(object());  // the queue's
}

void Future::drop_options() const {
  if (!done()) options()->end();
  if (timed_) {
    delete limits();
  } else {
    delete options();
  }
}

bool Future::set_options(std::unique_ptr<TimedOptions> options, bool always_ranked) {
  const bool ranked = always_ranked || options->matters();
  set_rank(options.release(), ranked);
  timed_ = true;
  limits()->belong_to(*this);
  return limits()->prepare();
}

void Future::expire() {
  const Ref error = make_deadline_exceeded();
  if (!error) return;
  Delivered delivered;
  Call discarded;
  Ref context;
  State before = State::kPending;
  bool wake = false;
  if (!transition(delivered, [&] {
        before = state();
        if (before == State::kRunning) wake = ask_to_stop_locked();
        if (before != State::kPending) return;
        end_unstarted_locked(Ending::kException);
        take_call_locked(discarded, context);
        slots_[1] = Py_NewRef(error.get());
        delivered.failed = true;
        settle(State::kFinished, delivered);
      })) {
    return;
  }
  if (wake) unpark_all(&word_);
  if (before == State::kRunning) ask_to_stop();  // the family, too
  if (before != State::kPending) return;
  leave_rank();
  if (holds_place()) give_back_place_of_void(*this);  // callbacks find it free
  if (!deliver(delivered, true)) PyErr_WriteUnraisable(object());
}

void Future::leave_queue() {
  {
    const ObjectLock lock(mutex_);
    if (!done()) end_unstarted_locked(Ending::kCancelled);  // its state was written by hand
  }
  discard_call();
}

void Future::leave_pool() {
  const ObjectLock lock(mutex_);
  if (!done()) end_unstarted_locked(Ending::kCancelled);
  pool_.store(0, std::memory_order_relaxed);  // nothing depends on the order
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

Ending Future::ending_with(PyObject* exception) {
  return cancel_requested() && PyErr_GivenExceptionMatches(exception, stdlib.cancelled_error) != 0
             ? Ending::kCancelled
             : Ending::kException;
}

const ParkingWord* Future::announce(Ref outcome, Ending ending) {
  const ParkingWord* waiting = publish(std::move(outcome), ending);
  // Not before: whoever begins to watch it from now on finds that it is done.
  if (timed_) [[unlikely]]
    limits()->stop_watching(*this);
  return waiting;
}

const ParkingWord* Future::publish(Ref outcome, Ending ending) {
  if (ending == Ending::kCancelled) [[unlikely]] {
    while (!end_cancelled()) PyErr_WriteUnraisable(object());  // a signal handler's: once more
    return nullptr;
  }
  const bool failed = ending == Ending::kException;
  Ref replaced;  // what somebody has written into a private attribute before
  {
    const ObjectLock lock(mutex_);
    if (attachments_ == nullptr && state() == State::kRunning) {
      if (PyObject_IS_GC(outcome.get()) != 0) track_locked();  // invariant 5
      replaced = Ref::steal(std::exchange(slots_[failed ? 1 : 0], outcome.release()));
      const std::uint32_t word = word_.load(std::memory_order_relaxed);
      if ((word & kCancelRequested) != 0) [[unlikely]]
        end_abandoned(pool());
      // The release pairs with the acquire in `state()`: the outcome is visible with the state.
      word_.store(static_cast<std::uint32_t>(State::kFinished), std::memory_order_release);
      if (options() != nullptr) [[unlikely]]
        options()->end();
      return (word & kAwaited) != 0 ? &word_ : nullptr;
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
  leave_queue();
}

void Future::abandon_in_child() {
  if (!done()) {
    set_state(State::kCancelledAndNotified);
    if (options() != nullptr) options()->end();
  }
  (void)take_place();  // the places were counted anew
}

}  // namespace treadle::python
