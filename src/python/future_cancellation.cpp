// Asking a call that is being made to stop; it decides whether and when.
//
// `cancel` on a running future returns False, as ever, and leaves the request in the future's word.
// The call sees it in `check_cancelled`; when it ends with a CancelledError then, the future ends
// cancelled.  A future that is bound to one of a loop's (asyncio_code.hpp) is asked by the mere
// cancellation of that one, which the call finds when it looks.
//
// The request reaches the tasks that the call has submitted, and theirs: those that run are asked,
// those that wait begin with the request, so that functions that know nothing of it run as ever.
// Only `request_cancel`, which the standard library does not have, cancels those that wait.

#include <algorithm>
#include <iterator>

#include "python/family.hpp"
#include "python/future_transition.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

int Future::request_cancel() {
  if (done()) return 0;
  // The family, too, and theirs; those that wait need not begin.  No recursion: it may be deep.
  std::vector<Ref> more = family();
  int cancelled = cancel();
  if (cancelled == 0 && !done()) cancelled = 1;
  while (cancelled >= 0 && !more.empty()) {
    const Ref next = std::move(more.back());
    more.pop_back();
    Future& future = of(next.get());
    std::vector<Ref> theirs = future.family();
    std::move(theirs.begin(), theirs.end(), std::back_inserter(more));
    if (future.cancel() < 0) cancelled = -1;
  }
  return cancelled;
}

// The tasks that this one has submitted and that may not be done.
std::vector<Ref> Future::family() {
  const ObjectLock lock(mutex_);
  if (attachments_ == nullptr || attachments_->family == nullptr) return {};
  return attachments_->family->copy();
}

void Future::adopt(PyObject* child) {
  Ref released;
  std::vector<Ref> swept;
  bool asked = false, hears_loop = false;
  {
    const ObjectLock lock(mutex_);
    if (done()) return;
    asked = (word_.load(std::memory_order_relaxed) & kCancelRequested) != 0;
    Family*& family = attachments_locked().family;
    if (family == nullptr) family = new Family;
    family->add(child, released, swept);
    hears_loop = hears_loop_;
  }
  if (asked) of(child).ask_to_stop();
  // The call itself looks when it likes; it may never do so again before the child has ended.
  if (bound_to_loop_ && !hears_loop && !hear_from_loop()) PyErr_WriteUnraisable(object());
}

void Future::ask_to_stop() {
  std::vector<Ref> more;
  more.push_back(Ref::borrow(object()));
  while (!more.empty()) {
    const Ref next = std::move(more.back());
    more.pop_back();
    Future& future = of(next.get());
    bool wake = false;
    {
      const ObjectLock lock(future.mutex_);
      wake = !future.done() && future.ask_to_stop_locked();
    }
    if (wake) unpark_all(&future.word_);
    std::vector<Ref> theirs = future.family();
    std::move(theirs.begin(), theirs.end(), std::back_inserter(more));
  }
}

// The loop's future that this one is bound to; none when it is not, or is done.
Ref Future::loop_future() {
  const ObjectLock lock(mutex_);
  const Delivery* delivery = attachments_ == nullptr ? nullptr : attachments_->deliveries;
  return bound_to_loop_ && delivery != nullptr ? Ref::borrow(delivery->destination.get()) : Ref();
}

bool Future::loop_gave_up() {
  const Ref destination = loop_future();
  if (!destination) return false;
  const SavedError saved;
  const Ref cancelled = Ref::steal(PyObject_CallMethodNoArgs(destination.get(), names.cancelled));
  if (!cancelled) PyErr_Clear();
  return cancelled.get() == Py_True;
}

namespace {

// The callback of a loop's future whose cancellation shall be heard of by the call behind it.
PyObject* pass_on_cancellation(PyObject* source, PyObject* destination) {
  const Ref cancelled = Ref::steal(PyObject_CallMethodNoArgs(destination, names.cancelled));
  if (!cancelled) return nullptr;
  if (cancelled.get() == Py_True && Future::of(source).cancel() < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace

// Has the loop wake who sleeps until this bound future is asked to stop.  False with an error set.
bool Future::hear_from_loop() {
  const Ref destination = loop_future();
  if (!destination) return true;
  {
    const ObjectLock lock(mutex_);
    if (std::exchange(hears_loop_, true)) return true;
  }
  static PyMethodDef definition{"pass_on_cancellation", pass_on_cancellation, METH_O, nullptr};
  const Ref callback = Ref::steal(PyCFunction_New(&definition, object()));
  const Ref loop =
      callback ? Ref::steal(PyObject_CallMethodNoArgs(destination.get(), names.get_loop)) : Ref();
  const Ref add =
      loop ? Ref::steal(PyObject_GetAttrString(destination.get(), "add_done_callback")) : Ref();
  if (!add) return false;
  const Ref scheduled = Ref::steal(PyObject_CallMethodObjArgs(
      loop.get(), names.call_soon_threadsafe, add.get(), callback.get(), nullptr));
  if (scheduled) return true;
  if (PyErr_ExceptionMatches(PyExc_RuntimeError) == 0) return false;
  PyErr_Clear();  // the loop is closed: nobody there will ask any more
  return true;
}

Future::Slept Future::sleep_until_asked(Deadline deadline) {
  if (cancel_requested()) return Slept::kDone;
  if (bound_to_loop_ && !hear_from_loop()) return Slept::kError;
  // The thread that watches the clock may be late: it makes callbacks, which may take long.
  if (const Deadline look = timed_ ? limits()->look_at() : std::nullopt) {
    deadline = deadline ? std::min(*deadline, *look) : *look;
  }
  for (;;) {
    std::uint32_t seen;
    {
      const ObjectLock lock(mutex_);
      seen = word_.load(std::memory_order_relaxed);
      if ((seen & kCancelRequested) != 0) return Slept::kDone;
      if (is_done(state_in(seen))) return Slept::kTimedOut;
      seen |= kAwaited;
      word_.store(seen, std::memory_order_relaxed);  // read again under the lock
    }
    switch (wait_for_change(word_, seen, deadline)) {
      case Waited::kError:
        return Slept::kError;
      case Waited::kTimedOut:
        return cancel_requested() ? Slept::kDone : Slept::kTimedOut;
      case Waited::kLookAgain:
        break;
    }
  }
}

// Ends a running future as cancelled, if nobody else has ended it.  False with an error set when it
// could not be done yet.
bool Future::end_cancelled() {
  Delivered delivered;
  bool ended = false;
  if (!transition(delivered, [&] {
        ended = state() == State::kRunning;
        if (ended) settle(State::kCancelledAndNotified, delivered);
      })) {
    return false;
  }
  if (ended && !deliver(delivered, true)) PyErr_WriteUnraisable(object());
  return true;
}

}  // namespace treadle::python
