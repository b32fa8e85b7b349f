// Executor.map without a future an item: one job, a cursor over its items, and a slot an item.
//
// `map` gathers all arguments, as the standard library does, and queues one ticket for each worker
// that may take part.  Whoever runs a ticket takes items from the cursor, one at a time, until
// none is left: so a slow item delays nobody else's, and fast ones cost a call and a store.  When
// the pool is resized meanwhile, tickets are added, or workers leave theirs between two items.  The
// reader, an iterator, sleeps on the slot that it needs next.
//
// Thread safety: any attached thread.
// Invariants:
//  1. The cursor gives each item to exactly one thread: to a worker, to a reader that helps, or to
//     `end_rest`, which takes all that are left.
//  2. Slot i is written once, by the owner of item i (or, unordered, by the i-th to finish), before
//     its status; status changes publish it.  Only the reader takes results out.
//  3. The reader marks the status of the slot that it sleeps for; the writer's exchange returns
//     that mark, and then it wakes the reader.
//  4. An item's arguments are released before its status says that it is done.
#pragma once

#include <memory>
#include <vector>

#include "python/context.hpp"
#include "python/pool.hpp"
#include "python/running_calls.hpp"

namespace treadle::python {

struct MapTicket;

class MapJob : public Shared<MapJob> {
 public:
  struct Plan {
    Ref fn;
    Ref context;                     // of the submitter, or none
    Py_ssize_t arity = 0;            // arguments of one call
    PyObject** arguments = nullptr;  // owned, `arity` for each item, from PyMem
    Py_ssize_t count = 0;
    Deadline deadline;
    Moment submission = 0;  // where durations are measured
    bool ordered = true;
  };

  MapJob(PoolPtr pool, Plan plan);
  ~MapJob();

  // Queues the tickets.  False with an error set.
  [[nodiscard]] bool submit();
  // The pool has grown: as many workers more as now may take part.  False with an error set.
  [[nodiscard]] bool widen();
  // A ticket was run, or let go unrun.
  void end_ticket() { live_tickets_.fetch_sub(1, std::memory_order_relaxed); }
  // Whoever runs a ticket, from before its first item until after its last.
  void begin_run() { runners_.fetch_add(1, std::memory_order_relaxed); }
  void end_run() { runners_.fetch_sub(1, std::memory_order_relaxed); }
  // The pool has shrunk: true when the worker at `seat`, which runs a ticket, is one too many.  It
  // stops then; one of those that run the job goes on, for nobody else may come to its items.
  [[nodiscard]] bool stop_run(Worker& seat);
  // Takes the oldest item that nobody has taken, or none (`count` and beyond); or just this one,
  // when it is the oldest.
  [[nodiscard]] Py_ssize_t claim();
  [[nodiscard]] bool claim(Py_ssize_t item);
  [[nodiscard]] Scheduler& scheduler() { return pool_->scheduler(); }
  [[nodiscard]] Py_ssize_t count() const { return plan_.count; }
  [[nodiscard]] PyObject* function() const { return plan_.fn.get(); }  // borrowed
  // Runs an item that the calling worker has taken.
  void run_item(Py_ssize_t item, WorkerContexts& contexts, WorkerStatistics& statistics,
                bool nested);
  // Ends the items that nobody has taken: with an exception, or (null) as cancelled.
  void end_rest(PyObject* exception);
  // In the child of a fork: no thread will fill a slot that is not filled.
  void abandon_in_child();

  // For the iterator.  The next result when it is there already, else null without an error.
  [[nodiscard]] PyObject* next_if_ready() {
    started_ = true;
    if (read_ >= plan_.count || read_status(read_) != kResult) return nullptr;
    return std::exchange(slots_[static_cast<std::size_t>(read_++)], nullptr);
  }
  // Waits for it.  A new reference; null with an error set, or without one at the end.
  [[nodiscard]] PyObject* next();
  // The iterator is closed, or has ended: ends the rest, lets go of unread results.  One that was
  // never asked for a result leaves the calls alone, as a generator that was never started does.
  void close();
  [[nodiscard]] int traverse(visitproc visit, void* arg);

  [[nodiscard]] static bool make_iterator_type(PyObject* module);
  [[nodiscard]] static PyObject* make_iterator(boost::intrusive_ptr<MapJob> job);

 private:
  enum Status : std::uint8_t { kWaiting, kResult, kException, kCancelled, kAwaited = 0x80 };

  [[nodiscard]] Scheduler::Pushed queue_tickets(std::uint64_t submitted);
  [[nodiscard]] PyObject* call(PyObject** arguments) const;
  void put(Py_ssize_t item, PyObject* outcome, Status status);
  void take_rest(PyObject* exception, bool counted);
  [[nodiscard]] Status read_status(Py_ssize_t slot) const;
  [[nodiscard]] bool wait_for(Py_ssize_t slot);

  PoolPtr pool_;
  Plan plan_;
  std::unique_ptr<PyObject*[]> slots_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> statuses_;
  std::vector<std::unique_ptr<MapTicket[]>> tickets_;  // guarded by the GIL or `mutex_`
  [[no_unique_address]] ObjectMutex mutex_;
  // Only their numbers matter: relaxed.
  std::atomic<Py_ssize_t> live_tickets_{0};  // queued or run
  std::atomic<Py_ssize_t> runners_{0};
  std::atomic<Py_ssize_t> cursor_{0};
  std::atomic<Py_ssize_t> finished_{0};  // unordered: the next slot to fill
  Py_ssize_t read_ = 0;                  // the reader's own
  bool started_ = false;                 // the reader has asked for a result
  ParkingWord word_{0};                  // moves when an awaited slot is filled
};

using MapJobPtr = boost::intrusive_ptr<MapJob>;

// The scheduler's side: runs a ticket, or lets it go unrun.
void run_map_ticket(Task& task, Worker& seat, WorkerContexts& contexts, Breather& breather,
                    WorkerStatistics& statistics, RunningCalls& calls);
void discard_map_ticket(Task& task);

}  // namespace treadle::python
