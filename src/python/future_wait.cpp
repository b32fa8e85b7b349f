// Waiting for a future: sleeping on its word, or helping when the waiter is a worker of its pool.

#include "python/future.hpp"
#include "python/helping.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

Future::Slept Future::sleep_until_done(Deadline deadline) {
  for (;;) {
    std::uint32_t seen;
    {
      const ObjectLock lock(mutex_);
      seen = word_.load(std::memory_order_relaxed);
      if (is_done(state_in(seen))) return Slept::kDone;
      if ((seen & kAwaited) == 0) {
        seen |= kAwaited;
        word_.store(seen, std::memory_order_relaxed);  // read again under the lock, in `settle`
      }
    }
    switch (wait_for_change(word_, seen, deadline)) {
      case Waited::kError:
        return Slept::kError;
      case Waited::kTimedOut:
        return done() ? Slept::kDone : Slept::kTimedOut;
      case Waited::kLookAgain:
        break;
    }
  }
}

bool Future::wait(Deadline deadline) {
  if (done()) return true;
  // As `Condition.wait`: whoever waits while holding the future's condition gives it up meanwhile.
  Ref condition;
  {
    const ObjectLock lock(mutex_);
    if (attachments_ != nullptr && attachments_->condition != nullptr) {
      condition = Ref::borrow(reinterpret_cast<PyObject*>(attachments_->condition));
    }
  }
  auto* held = reinterpret_cast<FutureCondition*>(condition.get());
  if (held != nullptr && !held->owned()) held = nullptr;
  const Py_ssize_t times = held != nullptr ? held->release_save() : 0;
  const Slept slept = sleep_or_help(*this, deadline);
  if (held != nullptr && !held->acquire_restore(times)) return false;
  if (slept == Slept::kDone) return true;
  if (slept == Slept::kTimedOut) PyErr_SetNone(stdlib.timeout_error);
  return false;
}

}  // namespace treadle::python
