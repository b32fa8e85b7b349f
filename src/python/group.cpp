#include "python/group.hpp"

#include <new>

#include "python/future.hpp"
#include "python/helping.hpp"
#include "python/python_worker.hpp"
#include "python/stdlib.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

struct GroupObject {
  PyObject_HEAD Group group;
};

PyTypeObject* group_type = nullptr;

Group& group_of(PyObject* self) { return reinterpret_cast<GroupObject*>(self)->group; }

}  // namespace

void Group::complete(GroupLink& link, bool failed) {
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    link.pending = false;
    if (link.completed) return;
    link.completed = true;
    order_.push_back(static_cast<std::size_t>(&link - links_.get()));  // reserved: no allocation
    failed_ = failed_ || failed;
    wake = order_.size() >= wanted_ || (failed && stop_on_failure_ && wanted_ != kNobodyWaits);
    if (wake) {
      wanted_ = kNobodyWaits;
      word_.fetch_add(1, std::memory_order_release);  // pairs with the acquire in `wait`
    }
  }
  if (wake) unpark_all(&word_);
}

bool Group::add(PyObject* future, GroupLink& link) {
  link.group = this;
  link.future = Py_NewRef(future);
  if (!Future::is_instance(future)) return add_foreign(future, link);
  Future& own = Future::of(future);
  if (!own.attach_group(&link)) complete(link, own.failed());
  return true;
}

// A future of another kind: the standard library's protocol.
bool Group::add_foreign(PyObject* future, GroupLink& link) {
  if (!foreign_) foreign_ = Ref::steal(PyDict_New());
  const Ref index = Ref::steal(PyLong_FromSsize_t(&link - links_.get()));
  if (!foreign_ || !index || PyDict_SetItem(foreign_.get(), future, index.get()) < 0) return false;
  const Ref module = Ref::steal(PyImport_ImportModule("treadle.futures"));
  const Ref done =
      module ? Ref::steal(PyObject_CallMethod(module.get(), "watch", "OO", future, self_)) : Ref();
  if (!done) {  // no future: it must not be left, either
    const SavedError saved;
    if (PyDict_DelItem(foreign_.get(), future) < 0) PyErr_Clear();
    return false;
  }
  if (done.get() != Py_None) complete(link, done.get() == Py_True);
  return true;
}

bool Group::reached(std::size_t wanted, bool stop_on_failure) {
  const MutexLock lock(mutex_);
  if (order_.size() >= wanted || (stop_on_failure && failed_)) {
    wanted_ = kNobodyWaits;
    return true;
  }
  wanted_ = wanted;
  stop_on_failure_ = stop_on_failure;
  return false;
}

// In a worker that waits for all of them, runs those that are still queued (see helping.hpp).
void Group::run_queued_members() {
  for (std::size_t i = 0; i < size_ && willing_worker() != nullptr; ++i) {
    const Ref future = Ref::borrow(links_[i].future);
    if (future && Future::is_instance(future.get())) run_if_queued(Future::of(future.get()));
  }
}

bool Group::wait(std::size_t wanted, bool stop_on_failure) {
  if (wanted == size_ && !stop_on_failure && !deadline_) run_queued_members();
  for (;;) {
    const std::uint32_t seen = word_.load(std::memory_order_acquire);
    if (reached(wanted, stop_on_failure)) return true;
    if (deadline_ && Clock::now() >= *deadline_) return false;
    const BlockedWorker blocked(PythonWorker::current());
    switch (wait_for_change(word_, seen, deadline_)) {
      case Waited::kError:
        return false;
      case Waited::kTimedOut:
        return reached(wanted, stop_on_failure);
      case Waited::kLookAgain:
        break;
    }
  }
}

PyObject* Group::next() {
  if (given_ >= size_) return nullptr;
  std::size_t index = 0;
  {
    MutexLock lock(mutex_);
    index = given_ < order_.size() ? order_[given_] : size_;
  }
  if (index == size_) {
    if (!wait(given_ + 1, false)) {
      if (PyErr_Occurred() == nullptr) {
        PyErr_Format(stdlib.timeout_error, "%zu (of %zu) futures unfinished", size_ - given_,
                     size_);
      }
      const SavedError saved;
      close();
      return nullptr;
    }
    const MutexLock lock(mutex_);
    index = order_[given_];
  }
  ++given_;
  PyObject* future = std::exchange(links_[index].future, nullptr);
  if (foreign_ && PyDict_DelItem(foreign_.get(), future) < 0) PyErr_Clear();  // one of ours
  return future;
}

// Leaves every future that is still watched, and forgets all.
void Group::close() {
  for (std::size_t i = 0; i < size_; ++i) {
    PyObject* future = links_[i].future;
    if (future != nullptr && Future::is_instance(future))
      Future::of(future).detach_group(&links_[i]);
  }
  const Ref foreign = std::move(foreign_);
  if (foreign && PyDict_GET_SIZE(foreign.get()) != 0) {
    const Ref module = Ref::steal(PyImport_ImportModule("treadle.futures"));
    const Ref left =
        module
            ? Ref::steal(PyObject_CallMethod(module.get(), "unwatch", "OO", foreign.get(), self_))
            : Ref();
    if (!left) PyErr_WriteUnraisable(nullptr);
  }
  const std::size_t size = std::exchange(size_, 0);
  for (std::size_t i = 0; i < size; ++i) Py_CLEAR(links_[i].future);
}

struct GroupSlots {
  static PyObject* create(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
    PyObject* futures = nullptr;
    PyObject* timeout = Py_None;
    static const char* const keywords[] = {"futures", "timeout", nullptr};
    if (PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O:Group", const_cast<char**>(keywords),
                                    &PySet_Type, &futures, &timeout) == 0) {
      return nullptr;
    }
    Deadline deadline;
    if (!parse_timeout(timeout, deadline)) return nullptr;
    // A list first: user code that runs below must not change what is iterated.
    const Ref list = Ref::steal(PySequence_List(futures));
    Ref self = list ? Ref::steal(type->tp_alloc(type, 0)) : Ref();
    if (!self) return nullptr;
    Group& group = *new (&group_of(self.get())) Group;
    const auto size = static_cast<std::size_t>(PyList_GET_SIZE(list.get()));
    group.self_ = self.get();
    group.deadline_ = deadline;
    group.links_ = std::make_unique<GroupLink[]>(size);
    group.size_ = size;
    {
      const MutexLock lock(group.mutex_);
      group.order_.reserve(size);
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (!group.add(PyList_GET_ITEM(list.get(), static_cast<Py_ssize_t>(i)), group.links_[i])) {
        const SavedError saved;
        group.close();
        return nullptr;
      }
    }
    return self.release();
  }

  static PyObject* next(PyObject* self) {
    Group& group = group_of(self);
    if (!group.reader_.enter()) return nullptr;
    PyObject* future = group.next();
    group.reader_.leave();
    return future;
  }

  static PyObject* wait(PyObject* self, PyObject* args) {
    Py_ssize_t wanted = 0;
    int stop_on_failure = 0;
    if (PyArg_ParseTuple(args, "np:wait", &wanted, &stop_on_failure) == 0) return nullptr;
    Group& group = group_of(self);
    if (!group.reader_.enter()) return nullptr;
    const bool reached = group.wait(static_cast<std::size_t>(wanted), stop_on_failure != 0);
    group.reader_.leave();
    if (!reached && PyErr_Occurred() != nullptr) return nullptr;
    return PyBool_FromLong(reached);
  }

  // How many have completed, and whether one of them failed.
  static PyObject* progress(PyObject* self, PyObject*) {
    Group& group = group_of(self);
    Py_ssize_t completed = 0;
    bool failed = false;
    {
      const MutexLock lock(group.mutex_);
      completed = static_cast<Py_ssize_t>(group.order_.size());
      failed = group.failed_;
    }
    return Py_BuildValue("(nO)", completed, failed ? Py_True : Py_False);
  }

  // Ends the group: (completed, not completed), two sets.
  static PyObject* split(PyObject* self, PyObject*) {
    Group& group = group_of(self);
    const Ref done = Ref::steal(PySet_New(nullptr));
    const Ref not_done = Ref::steal(PySet_New(nullptr));
    if (!done || !not_done) return nullptr;
    for (std::size_t i = 0; i < group.size_; ++i) {
      bool completed = false;
      {
        const MutexLock lock(group.mutex_);
        completed = group.links_[i].completed;
      }
      PyObject* into = completed ? done.get() : not_done.get();
      if (PySet_Add(into, group.links_[i].future) < 0) return nullptr;
    }
    group.close();
    return PyTuple_Pack(2, done.get(), not_done.get());
  }

  static PyObject* close(PyObject* self, PyObject*) {
    group_of(self).close();
    Py_RETURN_NONE;
  }

  static PyObject* has_foreign(PyObject* self, PyObject*) {
    return PyBool_FromLong(static_cast<bool>(group_of(self).foreign_));
  }

  // The standard library's waiter protocol: futures of other kinds call these when they complete.
  static PyObject* report(PyObject* self, PyObject* future, bool failed) {
    Group& group = group_of(self);
    PyObject* index =
        group.foreign_ ? PyDict_GetItemWithError(group.foreign_.get(), future) : nullptr;
    if (index == nullptr) {
      if (PyErr_Occurred() != nullptr) return nullptr;
      Py_RETURN_NONE;
    }
    group.complete(group.links_[static_cast<std::size_t>(PyLong_AsSsize_t(index))], failed);
    Py_RETURN_NONE;
  }
  static PyObject* add_result(PyObject* self, PyObject* future) {
    return report(self, future, false);
  }
  static PyObject* add_exception(PyObject* self, PyObject* future) {
    return report(self, future, true);
  }

  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Group& group = group_of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(group.foreign_.get());
    for (std::size_t i = 0; i < group.size_; ++i) Py_VISIT(group.links_[i].future);
    return 0;
  }

  // When the group is garbage, so is whatever still watches for it, as that holds it: nothing is to
  // be left, and Python code that left it would meet objects that are gone in part.
  static int clear(PyObject* self) {
    group_of(self).foreign_ = Ref();
    group_of(self).close();
    return 0;
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    const SavedError saved;
    clear(self);
    group_of(self).~Group();
    type->tp_free(self);
    Py_DECREF(type);
  }
};

bool Group::make_type(PyObject* module) {
  using Slots = GroupSlots;
  static PyMethodDef methods[] = {
      {"wait", Slots::wait, METH_VARARGS,
       "wait($self, wanted, stop_on_failure, /)\n--\n\n"
       "Wait for so many completions in all, or a failure: False when the time is up."},
      {"progress", Slots::progress, METH_NOARGS,
       "progress($self, /)\n--\n\nReturn (number of completed futures, whether one has failed)."},
      {"split", Slots::split, METH_NOARGS,
       "split($self, /)\n--\n\nEnd the group: return the sets (completed, not completed)."},
      {"has_foreign", Slots::has_foreign, METH_NOARGS,
       "has_foreign($self, /)\n--\n\nTell whether futures of other libraries are watched."},
      {"close", Slots::close, METH_NOARGS, "close($self, /)\n--\n\nStop watching the futures."},
      {"add_result", Slots::add_result, METH_O, nullptr},
      {"add_exception", Slots::add_exception, METH_O, nullptr},
      {"add_cancelled", Slots::add_result, METH_O, nullptr},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Group(futures, timeout=None)\n--\n\n"
                                    "Futures to wait for; iterating gives each as it completes.")},
      {Py_tp_new, function_slot(&Slots::create)},
      {Py_tp_iter, function_slot(&PyObject_SelfIter)},
      {Py_tp_iternext, function_slot(&Slots::next)},
      {Py_tp_methods, methods},
      {Py_tp_traverse, function_slot(&Slots::traverse)},
      {Py_tp_clear, function_slot(&Slots::clear)},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.Group", sizeof(GroupObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  group_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return group_type != nullptr &&
         PyModule_AddObjectRef(module, "Group", reinterpret_cast<PyObject*>(group_type)) == 0;
}

}  // namespace treadle::python
