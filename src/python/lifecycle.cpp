#include "python/lifecycle.hpp"

#include <vector>

#include "python/waiting.hpp"

namespace treadle::python {

namespace {

// `mutex` guards the rest.  It is held over a fork, which it can be because who waits for it
// detaches (gil.hpp, rule 4).
struct Registry {
  [[no_unique_address]] ObjectMutex mutex;
  boost::intrusive::list<Pool, boost::intrusive::constant_time_size<false>> pools;
  bool exiting = false;
};

// Never destroyed: pools may outlive static destruction.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

// Pools that are alive, each kept so by a reference.
std::vector<PoolPtr> live_pools() {
  const ObjectLock lock(registry().mutex);
  std::vector<PoolPtr> pools;
  for (Pool& pool : registry().pools) {
    if (pool.try_retain()) pools.emplace_back(&pool, false);
  }
  return pools;
}

PyObject* at_exit(PyObject*, PyObject*) {
  {
    const ObjectLock lock(registry().mutex);
    registry().exiting = true;
  }
  const std::vector<PoolPtr> pools = live_pools();
  for (const PoolPtr& pool : pools) pool->scheduler().close(Closed::kExit);
  for (const PoolPtr& pool : pools) {
    const Ref threads = pool->threads();
    if (!threads) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(threads.get()); ++i) {
      const Ref joined =
          Ref::steal(PyObject_CallMethod(PyList_GET_ITEM(threads.get(), i), "join", nullptr));
      if (!joined) return nullptr;
    }
  }
  Py_RETURN_NONE;
}

PyObject* before_fork(PyObject*, PyObject*) {
  registry().mutex.lock();
  Py_RETURN_NONE;
}

PyObject* after_fork_in_parent(PyObject*, PyObject*) {
  registry().mutex.unlock();
  Py_RETURN_NONE;
}

PyObject* after_fork_in_child(PyObject*, PyObject*) {
  registry().mutex.unlock();
  set_main_thread(PyThread_get_thread_ident());
  // First every pool, then what they held: a finalizer may use any pool.
  const std::vector<PoolPtr> pools = live_pools();
  for (const PoolPtr& pool : pools) pool->restart_in_child();
  for (const PoolPtr& pool : pools) {
    const Ref executor = pool->executor();
    const Ref known =
        executor ? Ref::steal(PyObject_GetAttrString(executor.get(), "_threads")) : Ref();
    if (known && PySet_Check(known.get())) (void)PySet_Clear(known.get());
    PyErr_Clear();
  }
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"_at_exit", at_exit, METH_NOARGS, nullptr},
                           {"_before_fork", before_fork, METH_NOARGS, nullptr},
                           {"_after_fork_in_parent", after_fork_in_parent, METH_NOARGS, nullptr},
                           {"_after_fork_in_child", after_fork_in_child, METH_NOARGS, nullptr},
                           {}};

}  // namespace

void register_pool(Pool& pool) {
  const ObjectLock lock(registry().mutex);
  if (registry().exiting) pool.scheduler().close(Closed::kExit);
  registry().pools.push_back(pool);
}

void unregister_pool(Pool& pool) {
  const ObjectLock lock(registry().mutex);
  registry().pools.erase(registry().pools.iterator_to(pool));
}

bool install_lifecycle(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) return false;
  const Ref threading = Ref::steal(PyImport_ImportModule("threading"));
  const Ref main =
      threading ? Ref::steal(PyObject_CallMethod(threading.get(), "main_thread", nullptr)) : Ref();
  const Ref identity = main ? Ref::steal(PyObject_GetAttrString(main.get(), "ident")) : Ref();
  if (!identity) return false;
  set_main_thread(PyLong_AsUnsignedLong(identity.get()));
  const Ref hook = Ref::steal(PyObject_GetAttrString(module, "_at_exit"));
  const Ref registered =
      threading && hook
          ? Ref::steal(PyObject_CallMethod(threading.get(), "_register_atexit", "O", hook.get()))
          : Ref();
  if (!registered) return false;
  const Ref os = Ref::steal(PyImport_ImportModule("os"));
  const Ref at_fork = os ? Ref::steal(PyObject_GetAttrString(os.get(), "register_at_fork")) : Ref();
  if (!at_fork) {  // a system without fork
    PyErr_Clear();
    return true;
  }
  const Ref no_arguments = Ref::steal(PyTuple_New(0));
  const Ref hooks = Ref::steal(
      Py_BuildValue("{s:N,s:N,s:N}", "before", PyObject_GetAttrString(module, "_before_fork"),
                    "after_in_parent", PyObject_GetAttrString(module, "_after_fork_in_parent"),
                    "after_in_child", PyObject_GetAttrString(module, "_after_fork_in_child")));
  const Ref done = no_arguments && hooks
                       ? Ref::steal(PyObject_Call(at_fork.get(), no_arguments.get(), hooks.get()))
                       : Ref();
  return static_cast<bool>(done);
}

}  // namespace treadle::python
