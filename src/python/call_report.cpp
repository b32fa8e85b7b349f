#include "python/call_report.hpp"

#include <algorithm>
#include <atomic>

namespace treadle::python {

namespace {

// Set once, and never released.  The release pairs with the acquire of whoever calls it.
std::atomic<PyObject*> receiver{nullptr};

// _report_calls(receiver): from now on `receiver(fn, first argument or None, seconds in the queue,
// seconds of its run)` is called for each call of the pools that are made.
PyObject* report_calls(PyObject*, PyObject* callback) {
  PyObject* none = nullptr;
  Py_INCREF(callback);
  if (!receiver.compare_exchange_strong(none, callback, std::memory_order_acq_rel)) {
    Py_DECREF(callback);
    PyErr_SetString(PyExc_RuntimeError, "calls are reported already");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"_report_calls", report_calls, METH_O, nullptr}, {}};

}  // namespace

bool reports_calls() { return receiver.load(std::memory_order_acquire) != nullptr; }

void report_call(PyObject* fn, PyObject* first, Moment submission, Moment started) {
  constexpr double kSecond = 1e9;  // in nanoseconds
  const double wait = static_cast<double>(std::max<Moment>(started - submission, 0)) / kSecond;
  const double run = static_cast<double>(current_moment() - started) / kSecond;
  const Ref told =
      Ref::steal(PyObject_CallFunction(receiver.load(std::memory_order_acquire), "OOdd", fn,
                                       first != nullptr ? first : Py_None, wait, run));
  if (!told) PyErr_WriteUnraisable(fn);
}

bool make_call_report(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace treadle::python
