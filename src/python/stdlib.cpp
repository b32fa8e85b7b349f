#include "python/stdlib.hpp"

#include "python/merging.hpp"

namespace treadle::python {

Stdlib stdlib;
Names names;

namespace {

bool get(PyObject* module, const char* name, PyObject*& into) {
  into = PyObject_GetAttrString(module, name);
  return into != nullptr;
}

bool get_globals(const char* name, PyObject*& into) {
  const Ref module = Ref::steal(PyImport_ImportModule(name));
  if (module) into = Py_NewRef(PyModule_GetDict(module.get()));
  return into != nullptr;
}

}  // namespace

bool Stdlib::load() {
  const Ref base = Ref::steal(PyImport_ImportModule("concurrent.futures._base"));
  const Ref thread = base ? Ref::steal(PyImport_ImportModule("concurrent.futures.thread")) : Ref();
  const Ref types = thread ? Ref::steal(PyImport_ImportModule("types")) : Ref();
  return types && get(base.get(), "PENDING", state_names[0]) &&
         get(base.get(), "RUNNING", state_names[1]) &&
         get(base.get(), "CANCELLED", state_names[2]) &&
         get(base.get(), "CANCELLED_AND_NOTIFIED", state_names[3]) &&
         get(base.get(), "FINISHED", state_names[4]) &&
         get(base.get(), "CancelledError", cancelled_error) &&
         get(base.get(), "TimeoutError", timeout_error) &&
         get(base.get(), "InvalidStateError", invalid_state_error) &&
         get(base.get(), "LOGGER", logger) && get(base.get(), "Future", future) &&
         get(base.get(), "Executor", executor_interface) &&
         get(thread.get(), "BrokenThreadPool", broken_thread_pool) &&
         get(thread.get(), "ThreadPoolExecutor", executor) &&
         get(executor, "submit", executor_submit) &&
         get(types.get(), "GenericAlias", generic_alias) && make_evaluated_function();
}

bool Stdlib::load_epoll() {
  const Ref selectors = Ref::steal(PyImport_ImportModule("selectors"));
  if (!selectors) return false;
  if (!get(selectors.get(), "EpollSelector", epoll_selector)) PyErr_Clear();
  return true;
}

bool Stdlib::load_asyncio() {
  if (asyncio_loaded_.load(std::memory_order_acquire)) return true;  // pairs with the store below
  const Ref asyncio = Ref::steal(PyImport_ImportModule("asyncio"));
  const bool loaded = asyncio && get(asyncio.get(), "CancelledError", asyncio_cancelled_error) &&
                      get(asyncio.get(), "TimeoutError", asyncio_timeout_error) &&
                      get(asyncio.get(), "InvalidStateError", asyncio_invalid_state_error) &&
                      get(asyncio.get(), "get_running_loop", get_running_loop) &&
                      get(asyncio.get(), "_get_running_loop", running_loop_or_none) &&
                      get_globals("asyncio.base_events", base_events) &&
                      get_globals("asyncio.selector_events", selector_events) && load_epoll();
  if (loaded) asyncio_loaded_.store(true, std::memory_order_release);
  return loaded;
}

bool Names::load() {
  const std::pair<PyObject**, const char*> all[] = {
      {&add_result, "add_result"},
      {&add_exception, "add_exception"},
      {&add_cancelled, "add_cancelled"},
      {&invoke_callbacks, "_invoke_callbacks"},
      {&submit, "submit"},
      {&run, "run"},
      {&future, "future"},
      {&result, "result"},
      {&set_result, "set_result"},
      {&set_exception, "set_exception"},
      {&cancel, "cancel"},
      {&cancelled, "cancelled"},
      {&done, "done"},
      {&create_future, "create_future"},
      {&call_soon_threadsafe, "call_soon_threadsafe"},
      {&call_soon, "call_soon"},
      {&is_closed, "is_closed"},
      {&self, "self"},
      {&run_in_executor, "run_in_executor"},
      {&call_set_state, "_call_set_state"},
      {&get_running_loop, "_get_running_loop"},
      {&asyncio, "asyncio"},
      {&trio, "trio"},
      {&get_loop, "get_loop"},
      {&start_worker, "_start_worker"},
      {&qualname, "__qualname__"},
      {&add_reader, "add_reader"},
      {&remove_reader, "remove_reader"},
      {&write_to_self, "_write_to_self"},
      {&selector, "_selector"},
      {&thread_id, "_thread_id"},
      {&debug, "_debug"},
      {&executor, "executor"},
      {&queue_of_loop, "_treadle_queue"},
  };
  for (const auto& [slot, text] : all) {
    *slot = PyUnicode_InternFromString(text);
    if (*slot == nullptr) return false;
  }
  return true;
}

}  // namespace treadle::python
