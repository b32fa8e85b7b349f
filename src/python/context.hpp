// Context variables: a task sees those of its submitter, and keeps its changes to itself.
//
// An empty context costs a pointer comparison: nothing is captured at submission, and the worker
// calls the task in its own context, which it replaces only after a task has left something there.
// A context that is not empty is copied at submission (one small object, the variables are
// shared) and entered around the call.  What a worker's initializer has set stays visible to all
// tasks, below what the submitter has set.
#pragma once

#include "python/python_api.hpp"

namespace treadle::python {

// The calling thread's context, or null when it holds no variable.
inline PyObject* current_context(const PyThreadState* thread) {
  // There is no public way to look at it without copying; the field is in CPython's public struct
  // from 3.7 to 3.15.
  PyObject* context = thread->context;
  return context != nullptr && PyObject_Size(context) != 0 ? context : nullptr;
}

// A copy for a task to run in; none when there is nothing to copy.  `failed` with an error set.
inline Ref capture_context(bool& failed) {
  if (current_context(PyThreadState_Get()) == nullptr) return {};
  Ref copy = Ref::steal(PyContext_CopyCurrent());
  failed = !copy;
  return copy;
}

// The contexts in which one worker's tasks run.  Used by that worker's thread only.
class WorkerContexts {
 public:
  // After the initializer: what it has set becomes the base of every task's context.  False with
  // an error set.
  [[nodiscard]] bool begin();
  void end();
  // The worker's thread, from `begin` on, or from here on: it keeps its state for life.
  void use_this_thread() { thread_ = PyThreadState_Get(); }
  [[nodiscard]] PyThreadState* thread() const { return thread_; }

  // Makes a call (`invoke()` gives a new reference, or null with an error set) in the context of a
  // task that was submitted with `context` (null: an empty one).  `nested`: inside `isolated`.
  template <class Invoke>
  [[nodiscard]] PyObject* run(Invoke invoke, PyObject* context, bool nested);

  // Between tasks: what a call or a callback has left in the thread's own context is taken out of
  // the next one's sight.
  void tidy() {
    if (!base_ && current_context(thread_) != nullptr) start_afresh();
  }

 private:
  // The context to enter around a task's call; none: call it in the thread's own.
  [[nodiscard]] Ref to_enter(PyObject* context, bool& failed);
  [[nodiscard]] Ref on_top_of_base(PyObject* context);
  void start_afresh();

  PyThreadState* thread_ = nullptr;
  Ref base_;     // null: the initializer has set nothing
  Ref scratch_;  // entered in place of a context that a task has changed
};

template <class Invoke>
PyObject* WorkerContexts::run(Invoke invoke, PyObject* context, bool nested) {
  if (context == nullptr && !base_) {
    PyObject* result = invoke();
    if (!nested) tidy();
    return result;
  }
  bool failed = false;
  const Ref entered = to_enter(context, failed);
  if (failed) return nullptr;
  if (!entered) return invoke();
  if (PyContext_Enter(entered.get()) < 0) return nullptr;
  PyObject* result = invoke();
  const SavedError saved;
  if (PyContext_Exit(entered.get()) < 0) PyErr_WriteUnraisable(entered.get());
  return result;
}

// Does `work()`, which raises nothing, inside another task, so that neither sees what the other
// does to context variables.
template <class Work>
void isolated(Work work) {
  const Ref own = Ref::steal(PyContext_New());
  const bool entered = own && PyContext_Enter(own.get()) == 0;
  if (!entered) PyErr_WriteUnraisable(nullptr);  // no memory: rather a leak than a lost task
  work();
  if (entered && PyContext_Exit(own.get()) < 0) PyErr_WriteUnraisable(nullptr);
}

}  // namespace treadle::python
