#include "python/lifecycle.hpp"

#include <vector>

#include "python/loop_queue.hpp"
#include "python/waiting.hpp"

namespace treadle::python {

namespace {

// `mutex` guards the rest.  It is held over a fork, so that the child's copy is whole; it can be,
// because who waits for it detaches (gil.hpp, rule 4).  Other hooks run meanwhile, in the thread
// that forks: it passes.
struct Registry {
  [[no_unique_address]] ObjectMutex mutex;
  std::atomic<unsigned long> forking{0};  // the thread that holds the mutex over a fork
  boost::intrusive::list<Pool, boost::intrusive::constant_time_size<false>> pools;
  bool exiting = false;
};

// Never destroyed: pools may outlive static destruction.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

class RegistryLock {
 public:
  // No other thread can read its own identity in `forking`.
  RegistryLock()
      : passes_(registry().forking.load(std::memory_order_relaxed) == PyThread_get_thread_ident()) {
    if (!passes_) registry().mutex.lock();
  }
  ~RegistryLock() {
    if (!passes_) registry().mutex.unlock();
  }
  RegistryLock(const RegistryLock&) = delete;
  RegistryLock& operator=(const RegistryLock&) = delete;

 private:
  const bool passes_;
};

// Pools that are alive, each kept so by a reference.
std::vector<PoolPtr> live_pools() {
  const RegistryLock lock;
  std::vector<PoolPtr> pools;
  for (Pool& pool : registry().pools) {
    if (pool.try_retain()) pools.emplace_back(&pool, false);
  }
  return pools;
}

// Waits until no thread of a closed pool is left.  False with an error set.
bool join_threads(Pool& pool) {
  for (;;) {
    const Ref threads = pool.threads();
    if (!threads) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(threads.get()); ++i) {
      const Ref joined =
          Ref::steal(PyObject_CallMethod(PyList_GET_ITEM(threads.get(), i), "join", nullptr));
      if (!joined) return false;
    }
    if (pool.scheduler().counts().threads == 0) return true;
    // Somebody is in the middle of starting one, which the list does not show yet.
    const Detached detached;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

PyObject* at_exit(PyObject*, PyObject*) {
  {
    const RegistryLock lock;
    registry().exiting = true;
  }
  const std::vector<PoolPtr> pools = live_pools();
  for (const PoolPtr& pool : pools) pool->close(Closed::kExit);
  for (const PoolPtr& pool : pools) {
    if (pool->is_daemon()) {
      pool->cancel_queued();  // nobody will run it
    } else if (!join_threads(*pool)) {
      return nullptr;
    }
  }
  Py_RETURN_NONE;
}

PyObject* before_fork(PyObject*, PyObject*) {
  registry().mutex.lock();
  registry().forking.store(PyThread_get_thread_ident(), std::memory_order_relaxed);
  Py_RETURN_NONE;
}

PyObject* after_fork_in_parent(PyObject*, PyObject*) {
  registry().forking.store(0, std::memory_order_relaxed);
  registry().mutex.unlock();
  Py_RETURN_NONE;
}

PyObject* after_fork_in_child(PyObject*, PyObject*) {
  registry().forking.store(0, std::memory_order_relaxed);
  registry().mutex.unlock();
  set_main_thread(PyThread_get_thread_ident());
  LoopQueue::note_fork();
  forget_time_limits_in_child();
  restart_statistics_in_child();
  const std::vector<PoolPtr> pools = live_pools();
  std::vector<Pool::Abandoned> abandoned;
  abandoned.reserve(pools.size());
  for (const PoolPtr& pool : pools) abandoned.push_back(pool->restart_in_child());
  for (std::size_t i = 0; i < pools.size(); ++i) {
    pools[i]->give_up_in_child(std::move(abandoned[i]));
  }
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
  const RegistryLock lock;
  if (registry().exiting) pool.scheduler().close(Closed::kExit);
  registry().pools.push_back(pool);
}

void unregister_pool(Pool& pool) {
  const RegistryLock lock;
  registry().pools.erase(registry().pools.iterator_to(pool));
}

PoolPtr find_pool(std::uint32_t id) {
  const RegistryLock lock;
  for (Pool& pool : registry().pools) {
    if (pool.id() == id && pool.try_retain()) return {&pool, false};
  }
  return {};
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
