// treadle.Future: a concurrent.futures.Future that is also the task that computes it.
//
// One allocation holds the Python object, the queue link, the call and later its outcome.  What
// few futures have (callbacks, standard waiters, a `_condition`, groups, event loops) lies in
// `Attachments`, made when first asked for.
//
// The files: future.cpp is the Python type, future_state.cpp its transitions, future_delivery.cpp
// what follows a final one, future_task.cpp what pools do, future_wait.cpp waiting,
// future_cancellation.cpp asking a running call to stop, future_attributes.cpp the private
// attributes.
//
// Thread safety: any attached thread; see the invariants.
// Invariants:
//  1. `word_` holds the state, kAwaited while threads may sleep on it (in `result`), and
//     kCancelRequested once the running call was asked to stop.  Changes
//     of state happen under the object lock (gil.hpp, rule 4) and, where a `_condition` exists,
//     while its lock is held: `transition` is the only way.  Reading it needs no lock.
//  2. `slots_` hold the stored call while `shape_` says so; when the call was taken out, slot 0 is
//     the result and slot 1 the exception (null: none).  A final state's store-release pairs with
//     the load-acquire of `state()`: who sees the state sees the outcome.
//  3. The final state is reached once; whoever gets there delivers everything that the attachments
//     promise, exactly once: they are moved out under the same lock.
//  4. A queue that holds the future owns one reference to it.
//  5. The garbage collector need not look at a future that a queue owns: that reference keeps it
//     alive.  So `make` hides it, and `track` shows it as soon as it can be part of a cycle that
//     nobody else keeps alive: when it is done and refers to anything that could refer back, or
//     when it is given attributes.  Collections over many futures cost a third of a task otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/parking_spot.hpp"
#include "core/task.hpp"
#include "python/asyncio_code.hpp"
#include "python/call.hpp"
#include "python/future_condition.hpp"
#include "python/gil.hpp"
#include "python/heap_type.hpp"
#include "python/statistics.hpp"
#include "python/task_options.hpp"
#include "python/time_limits.hpp"

namespace treadle::python {

class Group;
struct GroupLink;

enum class State : std::uint32_t {
  kPending,
  kRunning,
  kCancelled,             // nobody was told yet: as the standard library, for futures without pool
  kCancelledAndNotified,  // `wait` and `as_completed` see it
  kFinished,
};
[[nodiscard]] constexpr bool is_done(State state) { return state >= State::kCancelled; }
[[nodiscard]] constexpr bool is_cancelled(State state) {
  return state == State::kCancelled || state == State::kCancelledAndNotified;
}

// An event loop's future that waits for this one (loop_bridge.hpp).
struct Delivery {
  Ref queue;             // the loop's
  Ref destination;       // the loop's future
  Ref source;            // this future, once it is done and on its way
  bool at_once = false;  // in the loop's own thread, not in a later turn of the loop
  Delivery* next = nullptr;
};

class Family;

struct Attachments {
  PyObject* callbacks = nullptr;  // a list
  PyObject* waiters = nullptr;    // a list of objects with add_result and its siblings
  FutureCondition* condition = nullptr;
  GroupLink* groups = nullptr;
  Delivery* deliveries = nullptr;
  Family* family = nullptr;  // the tasks that this one has submitted while it runs
};

// Kinds of tasks in a Python pool's queue.
enum TaskKind : std::uint8_t { kFutureTask, kMapTask, kWorkItemTask };

class Future : public Task {
 public:
  Future() : Task(kFutureTask) {}
  ~Future() {
    if (options() != nullptr) drop_options();
  }

  [[nodiscard]] static bool make_type(PyObject* module);
  // A new pending future for a queue, hidden from the garbage collector; null with an error set.
  [[nodiscard]] static PyObject* make();
  // The same for something that a worker of this pool may wait for, without a call.
  [[nodiscard]] static PyObject* make_for(std::uint32_t pool) {
    PyObject* self = make();
    if (self != nullptr) of(self).pool_ = pool;
    return self;
  }
  [[nodiscard]] static bool is_exact(PyObject* object) { return Py_TYPE(object) == type_.type(); }
  [[nodiscard]] static bool is_instance(PyObject* object) { return type_.is_instance(object); }
  [[nodiscard]] static Future& of(PyObject* object) { return type_.data(object); }
  [[nodiscard]] PyObject* object() { return type_.object(*this); }

  [[nodiscard]] State state() const { return state_in(word_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool done() const { return is_done(state()); }
  // Ended with an exception.  Must only be called when done.
  [[nodiscard]] bool failed() const {
    return state() == State::kFinished && shape_ == CallShape::kEmpty && slots_[1] != nullptr;
  }

  // ---- for pools (future_task.cpp)

  // Fills a new future with its call; `pool` says whose it is, `submission` since when, or 0.
  // False with an error set.
  [[nodiscard]] bool store_call(PyObject* const* arguments, Py_ssize_t positional,
                                PyObject* keyword_names, std::uint32_t pool, Moment submission) {
    pool_.store(pool, std::memory_order_relaxed);  // nobody else sees it yet
    if (submission == 0) {
      return python::store_call(arguments, positional, keyword_names, kInlineArguments, slots_,
                                shape_, positional_);
    }
    return store_measured_call(arguments, positional, keyword_names, submission, slots_, shape_,
                               positional_);
  }
  void set_context(Ref context) { context_ = context.release(); }
  void replace_context(Ref context) { Py_XSETREF(context_, context.release()); }
  // Before it is queued: what it was told besides its call, and whether that ranks it.
  void set_options(std::unique_ptr<TaskOptions> options, bool ranked) {
    set_rank(options.release(), ranked);
  }
  // The same for options with a limit, which is watched from now on.  False with an error set.
  [[nodiscard]] bool set_options(std::unique_ptr<TimedOptions> options, bool always_ranked);
  // Null for most.
  [[nodiscard]] TaskOptions* options() const { return static_cast<TaskOptions*>(rank()); }
  // Its worker is about to start it: it fails as in `expire` if its deadline has passed already.
  void expire_if_late() {
    if (timed_ && limits()->is_late()) [[unlikely]]
      expire();
  }
  // Null for those without a limit.
  [[nodiscard]] TimedOptions* limits() const {
    return timed_ ? static_cast<TimedOptions*>(options()) : nullptr;
  }
  // Its time is up: fails it with DeadlineExceeded when it waits still, asks it to stop when it
  // runs.
  void expire();
  [[nodiscard]] std::uint32_t pool() const { return pool_.load(std::memory_order_relaxed); }
  // Lets go of a call that will not be made; of one that is being made nothing is left here.
  void discard_call();
  // The same for the pool, which took it from its queue.
  void leave_queue();
  // A tool has taken it out of the pool's queue, and may run it elsewhere.
  void leave_pool();
  [[nodiscard]] bool describe(CallParts& parts) {
    return describe_call(slots_, shape_, positional_, parts);
  }

  // The future's place in a bounded queue, see bound.hpp.
  void hold_place() { holds_place_.store(true, std::memory_order_relaxed); }  // the queue publishes
  [[nodiscard]] bool holds_place() const { return holds_place_.load(std::memory_order_relaxed); }
  // True for the one caller who is to give the place back.
  [[nodiscard]] bool take_place() {
    return holds_place() && holds_place_.exchange(false, std::memory_order_relaxed);
  }

  // Pending to running, and in the same step hands out the call and its context: true.  Anything
  // else: false; logs what the standard library logs.
  [[nodiscard]] bool start(Call& call, Ref& context);
  // Cancels it when the loop's future that it is bound to was cancelled.
  void follow_loop() {
    if (bound_to_loop_ && loop_gave_up()) (void)cancel(true);
  }
  // The same for a worker that runs the future ahead of its turn: the queue's entry is void then.
  [[nodiscard]] bool start_out_of_turn(Call& call, Ref& context);
  // True when announcing would run no user code.
  [[nodiscard]] bool is_quiet() {
    const ObjectLock lock(mutex_);
    return attachments_ == nullptr && Py_REFCNT(object()) > 1;
  }
  // How a running future will end whose call has raised this.
  [[nodiscard]] Ending ending_with(PyObject* exception);
  // Makes a running future's outcome visible, delivers, runs callbacks (errors are logged, all of
  // them), and returns the word to unpark, or null.
  const ParkingWord* announce(Ref outcome, Ending ending);
  // The same for a future that a pool takes from its queue and will not run: fails it, or cancels
  // it; one that was started out of turn is left to whoever runs it.
  void fail(PyObject* exception);
  void cancel_for_pool();
  // In the child of a fork, for a future whose thread does not exist there: only the state.
  void abandon_in_child();

  // ---- the Python methods' bodies (future_state.cpp)

  // The outcome of a future that is done and not cancelled; new references.
  [[nodiscard]] PyObject* result_or_none() {
    PyObject* result = stored(0);
    return result != nullptr ? result : Py_NewRef(Py_None);
  }
  [[nodiscard]] PyObject* exception_or_null() { return stored(1); }

  // 1: cancelled now or before; 0: running or finished; -1: error set.
  [[nodiscard]] int cancel(bool log_everything = false);
  // Steals nothing.  False with InvalidStateError or a callback's BaseException set.
  [[nodiscard]] bool finish(PyObject* outcome, bool failed, bool log_everything = false);
  [[nodiscard]] int set_running_or_notify_cancel();
  // Somebody writes the state by hand, perhaps while holding the condition: sleepers look again
  // when it is notified; groups and event loops are told.
  void write_state(State state);
  // Waits until nobody holds the condition any more, so that what is written under it is whole.
  [[nodiscard]] bool wait_for_writers() {
    {
      const ObjectLock lock(mutex_);
      if (attachments_ == nullptr || attachments_->condition == nullptr) return true;
    }
    return wait_for_condition();
  }
  [[nodiscard]] bool add_done_callback(PyObject* callback);
  // Attaches an event loop's future, or returns false (no error) when this one is done.
  [[nodiscard]] bool attach_delivery(Delivery* delivery);
  // The same, with the loop's queue looked up: 1 attached, 0 done, -1 error set.
  [[nodiscard]] int attach_loop_future(PyObject* loop, PyObject* destination, bool at_once);
  // For a new future that nobody sees but the future of a loop: it is cancelled when a worker takes
  // it and finds that one cancelled.  False with an error set.
  [[nodiscard]] bool bind_to_loop(PyObject* loop, PyObject* destination) {
    bound_to_loop_ = true;
    return attach_loop_future(loop, destination, chaining_completes_at_once()) == 1;
  }
  // Attaches a group's link, or returns false when this future is done.
  [[nodiscard]] bool attach_group(GroupLink* link);
  void detach_group(GroupLink* link);

  // How a sleep ended; kTimedOut sets no error.
  enum class Slept : std::uint8_t { kDone, kTimedOut, kError };

  // ---- asking a running call to stop (future_cancellation.cpp)

  // 1: cancelled, or its call was asked to stop; 0: done; -1: error set.
  [[nodiscard]] int request_cancel();
  // Whether the call, which is being made, was asked to stop: by a `cancel`, or because the loop's
  // future that it is bound to was cancelled.
  [[nodiscard]] bool cancel_requested() {
    const std::uint32_t word = word_.load(std::memory_order_relaxed);
    if (is_done(state_in(word))) return false;
    return (word & kCancelRequested) != 0 || (bound_to_loop_ && loop_gave_up()) ||
           (timed_ && limits()->run_is_over());
  }
  // Asks it to stop, or, if it waits still, to begin with that request; and its family.
  void ask_to_stop();
  // A task that this one has submitted: what asks this one to stop asks the other, too.
  void adopt(PyObject* child);
  // The same, without asking the loop.
  [[nodiscard]] bool was_asked_to_stop() const {
    const std::uint32_t word = word_.load(std::memory_order_relaxed);
    return !is_done(state_in(word)) && (word & kCancelRequested) != 0;
  }
  // Sleeps until the call is asked to stop (kDone), or has ended, or the time is up (kTimedOut).
  [[nodiscard]] Slept sleep_until_asked(Deadline deadline);

  // ---- waiting (future_wait.cpp)

  // True when done; false with TimeoutError or a signal's exception set.
  [[nodiscard]] bool wait(Deadline deadline);
  // The same without helping: just sleeps.
  [[nodiscard]] Slept sleep_until_done(Deadline deadline);

 private:
  friend struct FutureSlots;
  friend struct FutureAttributes;
  [[nodiscard]] static PyGetSetDef* private_attributes();
  static constexpr std::uint32_t kStateBits = 7;
  static constexpr std::uint32_t kAwaited = 8;
  static constexpr std::uint32_t kCancelRequested = 16;
  static State state_in(std::uint32_t word) { return static_cast<State>(word & kStateBits); }

  struct Delivered;  // what a final state owes to others

  template <class Change>
  [[nodiscard]] bool transition(Delivered& delivered, Change change);
  // Requires the object lock.  All writers of the word hold it, so no read-modify-write is needed;
  // the release pairs with the acquire in `state()`.
  void set_state(State state) {
    const std::uint32_t rest = word_.load(std::memory_order_relaxed) & ~kStateBits;
    word_.store(static_cast<std::uint32_t>(state) | rest, std::memory_order_release);
  }
  void take_call_locked(Call& call, Ref& context);
  void leave_rank();
  void drop_options() const;
  const ParkingWord* publish(Ref outcome, Ending ending);
  [[nodiscard]] int begin(Call* call, Ref* context);
  // Notes that the future ends while its pool has not begun it.  Requires the object lock.
  void end_unstarted_locked(Ending ending) {
    if (shape_ != CallShape::kEmpty && pool() != 0) end_unstarted(pool(), ending);
  }
  void settle(State state, Delivered& delivered);
  [[nodiscard]] bool deliver(Delivered& delivered, bool log_everything);
  [[nodiscard]] bool invoke_callbacks(PyObject* callbacks, bool log_everything);
  [[nodiscard]] bool call_callback(PyObject* callback, bool log_everything);
  [[nodiscard]] Attachments& attachments_locked();
  [[nodiscard]] bool wait_for_condition();
  [[nodiscard]] bool has_callbacks() {
    const ObjectLock lock(mutex_);
    return attachments_ != nullptr && attachments_->callbacks != nullptr &&
           PyList_GET_SIZE(attachments_->callbacks) != 0;
  }
  [[nodiscard]] Ref loop_future();
  [[nodiscard]] bool loop_gave_up();
  [[nodiscard]] bool hear_from_loop();
  [[nodiscard]] bool end_cancelled();
  [[nodiscard]] std::vector<Ref> family();
  // Notes that the running call shall stop; true when somebody has to be woken.  Requires the
  // object lock.
  [[nodiscard]] bool ask_to_stop_locked() {
    const std::uint32_t word = word_.load(std::memory_order_relaxed);
    if ((word & kCancelRequested) == 0) abandon(pool());
    word_.store(word | kCancelRequested, std::memory_order_relaxed);  // nothing comes with it
    return (word & kAwaited) != 0;
  }
  // Shows the object to the garbage collector (invariant 5).  Requires the object lock.
  void track_locked() {
    if (PyObject_GC_IsTracked(object()) == 0) PyObject_GC_Track(object());
  }
  void track() {
    const ObjectLock lock(mutex_);
    track_locked();
  }
  // What a slot holds once the call is out of it; a new reference, or null for none.
  [[nodiscard]] PyObject* stored(std::size_t slot) {
    const ObjectLock lock(mutex_);
    return shape_ == CallShape::kEmpty ? Py_XNewRef(slots_[slot]) : nullptr;
  }
  [[nodiscard]] PyObject* condition();

  CallShape shape_ = CallShape::kEmpty;
  std::uint8_t positional_ = 0;
  [[no_unique_address]] ObjectMutex mutex_;
  ParkingWord word_{static_cast<std::uint32_t>(State::kPending)};
  std::atomic<std::uint32_t> pool_{0};  // 0: belongs to no pool; nothing depends on the order
  bool started_out_of_turn_ = false;
  bool timed_ = false;  // the options are TimedOptions
  bool bound_to_loop_ = false;
  bool hears_loop_ = false;  // the loop's future tells of its cancellation
  std::atomic<bool> holds_place_{false};
  CallSlots slots_{};
  PyObject* context_ = nullptr;
  Attachments* attachments_ = nullptr;

  static HeapType<Future> type_;
};

}  // namespace treadle::python
