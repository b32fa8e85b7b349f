// The native half of treadle.ThreadPoolExecutor: a subclass of the standard one, which the Python
// class (python/treadle/executors/thread.py) extends.
#pragma once

#include "python/heap_type.hpp"
#include "python/pool.hpp"

namespace treadle::python {

struct Executor {
  PoolPtr pool;
};

extern HeapType<Executor> executor_type;

[[nodiscard]] bool make_executor_type(PyObject* module);

// An executor's pool; null, with an error set, before `__init__`.
void raise_uninitialized(PyObject* executor);
[[nodiscard]] inline Pool* pool_of(PyObject* executor) {
  Pool* pool = executor_type.data(executor).pool.get();
  if (pool == nullptr) [[unlikely]]
    raise_uninitialized(executor);
  return pool;
}

}  // namespace treadle::python
