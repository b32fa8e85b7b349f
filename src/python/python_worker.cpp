#include "python/python_worker.hpp"

#include <algorithm>

#include "python/bound.hpp"
#include "python/log.hpp"
#include "python/map_job.hpp"
#include "python/stdlib.hpp"
#include "python/task_runner.hpp"

namespace treadle::python {

namespace {

PyTypeObject* worker_type = nullptr;

}  // namespace

constinit thread_local PythonWorker* PythonWorker::current_ = nullptr;

PyObject* PythonWorker::make(PoolPtr pool, PyObject* executor) {
  Ref initializer = Ref::steal(PyObject_GetAttrString(executor, "_initializer"));
  Ref initargs = Ref::steal(PyObject_GetAttrString(executor, "_initargs"));
  if (!initializer || !initargs) return nullptr;
  PyObject* self = worker_type->tp_alloc(worker_type, 0);
  if (self == nullptr) return nullptr;
  State* state = of(self).state_ = new State(std::move(pool));
  if (initializer.get() == Py_None) return self;
  state->initializer = std::move(initializer);
  state->initargs = std::move(initargs);
  return self;
}

bool PythonWorker::begin() {
  const ObjectLock lock(state_->mutex);
  if (state_->stage != Stage::kNew) return false;
  state_->stage = Stage::kWorking;
  return true;
}

bool PythonWorker::revoke() {
  const ObjectLock lock(state_->mutex);
  if (state_->stage != Stage::kNew) return false;
  state_->stage = Stage::kOver;
  return true;
}

bool PythonWorker::is_new() {
  const ObjectLock lock(state_->mutex);
  return state_->stage == Stage::kNew;
}

// Calls the executor's initializer.  False when it raised; that is logged and breaks the pool.
bool PythonWorker::initialize() {
  const Ref initializer = std::move(state_->initializer);
  const Ref initargs = std::move(state_->initargs);
  if (!initializer) return true;
  const RunningCalls::Scope running(state_->calls, initializer.get());
  const Ref arguments = Ref::steal(PySequence_Tuple(initargs.get()));
  const Ref called = arguments ? Ref::steal(unless_exiting([&] {
    return PyObject_CallObject(initializer.get(), arguments.get());
  }))
                               : Ref();
  if (called) return true;
  const Ref exception = take_raised();
  log("critical", "Exception in initializer:", nullptr, exception.get());
  report_failed_initializer();
  return false;
}

void PythonWorker::report_failed_initializer() {
  constexpr const char* kMessage =
      "A thread initializer failed, the thread pool is not usable anymore";
  const Ref executor = state_->pool->executor();
  Ref failed;
  if (executor) {
    failed = Ref::steal(PyObject_CallMethod(executor.get(), "_break_off", "s", kMessage));
  } else if ((failed =
                  Ref::steal(PyObject_CallFunction(stdlib.broken_thread_pool, "s", kMessage)))) {
    state_->pool->fail_queued(failed.get());  // nobody is left who could submit more
  }
  if (!failed) PyErr_WriteUnraisable(executor.get());
}

void PythonWorker::work() {
  current_ = this;
  state_->thread_identity = PyThread_get_thread_ident();
  TaskRunner runner(*this);
  state_->pool->statistics().attach(state_->statistics);
  if (initialize() && state_->contexts.begin()) {
    state_->pool->scheduler().work(state_->seat, runner);
  } else {
    PyErr_Clear();
    if (Worker* next = state_->pool->scheduler().cancel_growth()) next->call();
  }
  state_->contexts.end();
  state_->pool->statistics().detach(state_->statistics);
  drop_sent_exception(PyThreadState_Get());
  current_ = nullptr;
}

int PythonWorker::run_by_hand(Pool& pool, PyObject* executor) {
  const Ref object = Ref::steal(make(&pool, executor));
  if (!object) return -1;
  Task* task = pool.scheduler().take_by_hand();
  if (task == nullptr) return 0;
  PythonWorker& worker = of(object.get());
  PythonWorker* outer = std::exchange(current_, &worker);
  worker.state_->contexts.use_this_thread();
  pool.statistics().attach(worker.state_->statistics);
  isolated([&] {  // the caller's context variables are none of the task's business
    TaskRunner runner(worker);
    (void)runner.run(*task);
    if (const ParkingWord* waiting = runner.announce(*task)) unpark_all(waiting);
  });
  pool.statistics().detach(worker.state_->statistics);
  current_ = outer;
  return 1;
}

bool PythonWorker::run_if_queued(Future& future) {
  Call call;
  Ref context;
  future.expire_if_late();
  if (!future.start_out_of_turn(call, context)) return false;
  if (future.holds_place()) give_back_place_of_void(future);
  TaskRunner(*this).run_out_of_turn(future, call, std::move(context));
  return true;
}

bool PythonWorker::run_map_item(MapJob& job, Py_ssize_t item) {
  if (!job.claim(item)) return false;
  ++state_->depth;
  state_->running.push_back(nullptr);
  const RunningCalls::Scope running(state_->calls, job.function());
  isolated([&] { job.run_item(item, state_->contexts, state_->statistics, true); });
  state_->running.pop_back();
  --state_->depth;
  return true;
}

std::uint64_t PythonWorker::orphan() {
  state_->expects_wait = false;  // the pool there has forgotten whom it counts as blocked
  Scheduler::orphan(state_->seat);
  const auto asked = std::count_if(
      state_->running.begin(), state_->running.end(),
      [](const Future* future) { return future != nullptr && future->was_asked_to_stop(); });
  return state_->pool->statistics().restart_in_child(&state_->statistics,
                                                     static_cast<std::uint64_t>(asked));
}

void PythonWorker::abandon_in_child() {
  for (Future* future : state_->running) {
    if (future != nullptr) future->abandon_in_child();
  }
}

void PythonWorker::begin_block() {
  // A thread that cannot be started is no error here: the pool is as large as it can be.
  Pool& pool = *state_->pool;
  if (!pool.follow_up(pool.scheduler().begin_block(state_->seat))) PyErr_Clear();
}

void PythonWorker::end_block() {
  if (Worker* extra = state_->pool->scheduler().end_block()) extra->call();
}

void PythonWorker::expect_wait() {
  if (!std::exchange(state_->expects_wait, true)) begin_block();
}

struct PythonWorkerSlots {
  // The thread's target.
  static PyObject* call(PyObject* self, PyObject*, PyObject*) {
    PythonWorker& worker = PythonWorker::of(self);
    if (worker.begin()) {
      worker.work();
      worker.state_->pool->retire(self);
    }
    Py_RETURN_NONE;
  }

  static PyObject* number(PyObject* self, void*) {
    return PyLong_FromUnsignedLong(PythonWorker::of(self).state_->pool->next_thread_number());
  }

  static void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    delete PythonWorker::of(self).state_;
    type->tp_free(self);
    Py_DECREF(type);
  }
};

bool PythonWorker::make_type(PyObject* module) {
  using Slots = PythonWorkerSlots;
  static PyGetSetDef attributes[] = {{"next_number", Slots::number, nullptr,
                                      "A number for a thread's name; new at each look.", nullptr},
                                     {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("What a worker thread of a pool runs; called once.")},
      {Py_tp_call, function_slot(&Slots::call)},
      {Py_tp_getset, attributes},
      {Py_tp_dealloc, function_slot(&Slots::deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{"treadle._core.Worker", sizeof(PythonWorker), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  worker_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return worker_type != nullptr &&
         PyModule_AddObjectRef(module, "Worker", reinterpret_cast<PyObject*>(worker_type)) == 0;
}

}  // namespace treadle::python
