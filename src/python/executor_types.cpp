#include "python/executor_types.hpp"

#include "python/executor.hpp"
#include "python/manual.hpp"
#include "python/priority_executor.hpp"
#include "python/view.hpp"

namespace treadle::python {

bool make_executor_types(PyObject* module) {
  return make_executor_type(module) && make_priority_executor_type(module) &&
         make_manual_executor_type(module) && make_view_type(module);
}

}  // namespace treadle::python
