// The future as a pool's task: it is started with its call, and its outcome is announced.

#include "python/future_transition.hpp"
#include "python/log.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

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
  if (failed && cancel_requested() &&
      PyErr_GivenExceptionMatches(outcome.get(), stdlib.cancelled_error) != 0) {
    while (!end_cancelled()) PyErr_WriteUnraisable(object());  // a signal handler's: once more
    return nullptr;
  }
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
  (void)take_place();  // the places were counted anew
}

}  // namespace treadle::python
