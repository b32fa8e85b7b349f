#include "python/python_worker.hpp"

#include "python/log.hpp"
#include "python/map_job.hpp"
#include "python/task_runner.hpp"

namespace treadle::python {

namespace {

PyTypeObject* worker_type = nullptr;
thread_local PythonWorker* current_worker = nullptr;

}  // namespace

PythonWorker* PythonWorker::current() { return current_worker; }

PyObject* PythonWorker::make(PoolPtr pool) {
  PyObject* self = worker_type->tp_alloc(worker_type, 0);
  if (self != nullptr) of(self).state_ = new State(std::move(pool));
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

// Calls the executor's initializer.  False when it raised; that is logged and breaks the pool.
bool PythonWorker::initialize() {
  const Ref executor = state_->pool->executor();
  if (!executor) return true;  // nobody is left who could want it
  const Ref initializer = Ref::steal(PyObject_GetAttrString(executor.get(), "_initializer"));
  if (initializer && initializer.get() == Py_None) return true;
  const Ref initargs =
      initializer ? Ref::steal(PyObject_GetAttrString(executor.get(), "_initargs")) : Ref();
  const Ref arguments = initargs ? Ref::steal(PySequence_Tuple(initargs.get())) : Ref();
  const Ref called =
      arguments ? Ref::steal(PyObject_CallObject(initializer.get(), arguments.get())) : Ref();
  if (called) return true;
  const Ref exception = take_raised();
  log("critical", "Exception in initializer:", nullptr, exception.get());
  const Ref failed =
      Ref::steal(PyObject_CallMethod(executor.get(), "_initializer_failed", nullptr));
  if (!failed) PyErr_WriteUnraisable(executor.get());
  return false;
}

void PythonWorker::work() {
  current_worker = this;
  TaskRunner runner(*this);
  if (initialize() && state_->contexts.begin()) {
    state_->pool->scheduler().work(state_->seat, runner);
  } else {
    PyErr_Clear();
    if (Worker* next = state_->pool->scheduler().cancel_growth()) next->call();
  }
  state_->contexts.end();
  drop_sent_exception();
  current_worker = nullptr;
}

void PythonWorker::run_nested(Task& task) {
  TaskRunner runner(*this);
  (void)runner.run(task);
  if (const ParkingWord* waiting = runner.announce(task)) unpark_all(waiting);
}

void PythonWorker::run_out_of_turn(Future& future) {
  TaskRunner runner(*this);
  runner.run_started(future);
  if (const ParkingWord* waiting = runner.announce_started(future)) unpark_all(waiting);
}

bool PythonWorker::run_map_item(MapJob& job) {
  ++state_->depth;
  const bool ran = job.run_one(state_->contexts, state_->depth > 1);
  --state_->depth;
  return ran;
}

void PythonWorker::begin_block() {
  // A thread that cannot be started is no error here: the pool is as large as it can be.
  if (state_->pool->scheduler().begin_block() && !state_->pool->grow()) PyErr_Clear();
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
      worker.state_->pool->forget(self);
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
