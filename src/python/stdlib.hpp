// The standard library's objects that the extension works with, looked up once at import.
//
// They live as long as the process: references to them are never dropped, so none is touched
// after the interpreter's end.
#pragma once

#include <array>
#include <atomic>

#include "python/python_api.hpp"

namespace treadle::python {

struct Stdlib {
  // concurrent.futures._base and .thread
  std::array<PyObject*, 5> state_names{};  // PENDING … FINISHED, in the order of `State`
  PyObject* cancelled_error = nullptr;
  PyObject* timeout_error = nullptr;  // 3.10's is a class of its own
  PyObject* invalid_state_error = nullptr;
  PyObject* broken_thread_pool = nullptr;
  PyObject* logger = nullptr;
  PyObject* future = nullptr;
  PyObject* executor_interface = nullptr;  // Executor
  PyObject* executor = nullptr;            // ThreadPoolExecutor
  PyObject* executor_submit = nullptr;     // its submit, as it was at import
  PyObject* generic_alias = nullptr;
  // asyncio, looked up when first needed
  PyObject* asyncio_cancelled_error = nullptr;
  PyObject* asyncio_timeout_error = nullptr;
  PyObject* asyncio_invalid_state_error = nullptr;
  PyObject* get_running_loop = nullptr;
  PyObject* running_loop_or_none = nullptr;
  PyObject* base_events = nullptr;      // the globals of asyncio.base_events
  PyObject* selector_events = nullptr;  // and those of asyncio.selector_events
  PyObject* epoll_selector = nullptr;   // stays null where there is no epoll

  [[nodiscard]] bool load();
  [[nodiscard]] bool load_asyncio();

 private:
  [[nodiscard]] bool load_epoll();

  std::atomic<bool> asyncio_loaded_{false};
};

extern Stdlib stdlib;

// Names used on warm paths, interned.
struct Names {
  PyObject *add_result, *add_exception, *add_cancelled, *invoke_callbacks, *submit, *run, *future,
      *result, *set_result, *set_exception, *cancel, *cancelled, *done, *create_future,
      *call_soon_threadsafe, *call_soon, *is_closed, *self, *run_in_executor, *call_set_state,
      *get_running_loop, *asyncio, *trio, *get_loop, *start_worker, *qualname, *add_reader,
      *remove_reader, *write_to_self, *selector, *thread_id, *debug, *queue_of_loop, *executor;

  [[nodiscard]] bool load();
};

extern Names names;

}  // namespace treadle::python
