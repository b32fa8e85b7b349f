// treadle._core: the table of contents.

#include <pybind11/pybind11.h>

#include "python/await.hpp"
#include "python/call_report.hpp"
#include "python/current_task.hpp"
#include "python/executor_types.hpp"
#include "python/future.hpp"
#include "python/group.hpp"
#include "python/lifecycle.hpp"
#include "python/loop_bridge.hpp"
#include "python/map_job.hpp"
#include "python/python_worker.hpp"
#include "python/room.hpp"
#include "python/statistics.hpp"
#include "python/stdlib.hpp"
#include "python/time_limits.hpp"

namespace treadle::python {

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  // The extension's objects exist once a process.  Isolated sub-interpreters are refused by Python.
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    throw pybind11::import_error(
        "treadle does not support sub-interpreters: import it in the main interpreter");
  }
  PyObject* m = module.ptr();
  const bool made = stdlib.load() && names.load() && FutureCondition::make_type(m) &&
                    Future::make_type(m) && make_await_type(m) && make_loop_bridge(m) &&
                    Group::make_type(m) && PythonWorker::make_type(m) && make_current_task(m) &&
                    make_place_type(m) && MapJob::make_iterator_type(m) && make_statistics(m) &&
                    make_call_report(m) && make_executor_types(m) && make_time_limits(m) &&
                    install_lifecycle(m);
  if (!made) throw pybind11::error_already_set();
}

}  // namespace treadle::python
