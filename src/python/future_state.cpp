// The Future's transitions: who may change its state, and what is stored with it.

#include <memory>

#include "python/bound.hpp"
#include "python/future_transition.hpp"
#include "python/group.hpp"
#include "python/helping.hpp"
#include "python/loop_bridge.hpp"
#include "python/loop_queue.hpp"
#include "python/stdlib.hpp"

namespace treadle::python {

// Enters a final state and moves out what it owes to others.  Requires the object lock.
void Future::settle(State state, Delivered& delivered) {
  track_locked();
  const std::uint32_t word = word_.load(std::memory_order_relaxed);
  if ((word & kCancelRequested) != 0) end_abandoned(pool());
  delivered.state = state;
  delivered.awaited = (word & kAwaited) != 0;
  word_.store(static_cast<std::uint32_t>(state), std::memory_order_release);  // pairs: state()
  if (options() != nullptr) options()->end();
  if (attachments_ == nullptr) return;
  delivered.callbacks = Ref::borrow(attachments_->callbacks);
  delivered.deliveries = std::exchange(attachments_->deliveries, nullptr);
  if (state != State::kCancelled) delivered.waiters = Ref::borrow(attachments_->waiters);
  delivered.family.reset(std::exchange(attachments_->family, nullptr));
  GroupLink* link = std::exchange(attachments_->groups, nullptr);
  while (link != nullptr) {
    GroupLink* next = std::exchange(link->next, nullptr);
    link->group->complete(*link, delivered.failed);
    link = next;
  }
}

int Future::cancel(bool log_everything) {
  Delivered delivered;
  State before = State::kPending;
  bool wake = false;
  if (!transition(delivered, [&] {
        before = state();
        if (before == State::kRunning) wake = ask_to_stop_locked();
        if (before != State::kPending) return;
        // A pool's future is known to be cancelled at once.  Others follow the standard protocol:
        // whoever runs them tells the waiters, in `set_running_or_notify_cancel`.
        end_unstarted_locked(Ending::kCancelled);
        settle(pool() != 0 ? State::kCancelledAndNotified : State::kCancelled, delivered);
      })) {
    return -1;
  }
  if (wake) unpark_all(&word_);
  if (before == State::kRunning) {
    for (const Ref& child : family()) of(child.get()).ask_to_stop();
  }
  if (before != State::kPending) return is_cancelled(before) ? 1 : 0;
  if (is_ranked()) leave_rank();
  if (holds_place()) give_back_place_of_void(*this);  // callbacks find it free
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
        end_unstarted_locked(failed ? Ending::kException : Ending::kResult);
        take_call_locked(discarded, context);
        // As the standard library: None as an exception counts as one, and then is none.
        delivered.failed = failed;
        PyObject* stored = failed && outcome == Py_None ? nullptr : Py_NewRef(outcome);
        replaced = Ref::steal(std::exchange(slots_[failed ? 1 : 0], stored));
        settle(State::kFinished, delivered);
      })) {
    return false;
  }
  if (!is_done(before)) {
    if (holds_place()) give_back_place_of_void(*this);  // somebody else finishes what is queued
    return deliver(delivered, log_everything);
  }
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
  bool elsewhere = false;
  if (!transition(delivered, [&] {
        before = state();
        // Somebody else may have run it, or cancelled it, since `start` looked.
        elsewhere = call != nullptr && (started_out_of_turn_ || shape_ == CallShape::kEmpty ||
                                        before == State::kCancelledAndNotified);
        if (elsewhere) return;
        if (before == State::kPending) {
          set_state(State::kRunning);
          if (call != nullptr) take_call_locked(*call, *context);
        }
        if (before == State::kCancelled) settle(State::kCancelledAndNotified, delivered);
      })) {
    return -1;
  }
  if (elsewhere) return 0;
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
    end_unstarted_locked(is_cancelled(state) ? Ending::kCancelled : Ending::kResult);
    settle(state, delivered);
    // The rest is the business of whoever writes by hand, as with the standard library.
    word_.store(static_cast<std::uint32_t>(state) | (delivered.awaited ? kAwaited : 0),
                std::memory_order_release);  // pairs with the acquire in `state()`
  }
  if (delivered.deliveries != nullptr && !deliver_to_loops(delivered.deliveries, object())) {
    PyErr_WriteUnraisable(object());
  }
}

bool Future::wait_for_condition() {
  Delivered delivered;
  return transition(delivered, [] {});
}

// Requires the object lock.
Attachments& Future::attachments_locked() {
  if (done()) track_locked();
  if (attachments_ == nullptr) attachments_ = new Attachments;
  return *attachments_;
}

int Future::attach_loop_future(PyObject* loop, PyObject* destination, bool at_once) {
  if (!stdlib.load_asyncio()) return -1;
  Ref queue = LoopQueue::of_loop(loop);
  if (!queue) return -1;
  auto delivery = std::make_unique<Delivery>();
  delivery->queue = std::move(queue);
  delivery->destination = Ref::borrow(destination);
  delivery->at_once = at_once;
  if (!attach_delivery(delivery.get())) return 0;
  (void)delivery.release();
  expect_wait(*this);
  return 1;
}

bool Future::add_done_callback(PyObject* callback) {
  // A loop is told before the callbacks: the short way is for the first of them only.
  const ChainedTo chained = has_callbacks() ? ChainedTo{} : chained_to(callback);
  if (chained.future) {
    const bool at_once = chaining_completes_at_once();
    if (attach_loop_future(chained.loop.get(), chained.future.get(), at_once) == 1) return true;
    if (PyErr_Occurred() != nullptr && PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
    PyErr_Clear();  // done, or a loop of an unusual kind: the callback knows what to do
  }
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
