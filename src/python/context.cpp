#include "python/context.hpp"

namespace treadle::python {

bool WorkerContexts::begin() {
  use_this_thread();
  if (current_context(thread_) == nullptr) return true;
  base_ = Ref::steal(PyContext_CopyCurrent());
  return static_cast<bool>(base_);
}

void WorkerContexts::end() {
  if (scratch_ && PyContext_Exit(scratch_.get()) < 0) PyErr_WriteUnraisable(nullptr);
  scratch_ = Ref();
  base_ = Ref();
}

Ref WorkerContexts::to_enter(PyObject* context, bool& failed) {
  if (!base_) return Ref::borrow(context);
  Ref entered = on_top_of_base(context);
  failed = !entered;
  return entered;
}

// The initializer's variables, overridden by the submitter's.
Ref WorkerContexts::on_top_of_base(PyObject* context) {
  Ref merged = Ref::steal(PyContext_Copy(base_.get()));
  if (!merged || context == nullptr) return merged;
  const Ref items = Ref::steal(PyMapping_Items(context));
  if (!items || PyContext_Enter(merged.get()) < 0) return {};
  bool set = true;
  for (Py_ssize_t i = 0; set && i < PyList_GET_SIZE(items.get()); ++i) {
    PyObject* item = PyList_GET_ITEM(items.get(), i);
    const Ref token =
        Ref::steal(PyContextVar_Set(PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1)));
    set = static_cast<bool>(token);
  }
  if (PyContext_Exit(merged.get()) < 0 || !set) return {};
  return merged;
}

void WorkerContexts::start_afresh() {
  const SavedError saved;
  const bool left = !scratch_ || PyContext_Exit(scratch_.get()) == 0;
  scratch_ = left ? Ref::steal(PyContext_New()) : Ref();
  if (!scratch_ || PyContext_Enter(scratch_.get()) < 0) PyErr_WriteUnraisable(nullptr);
}

}  // namespace treadle::python
