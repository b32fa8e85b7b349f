// The iterator that Executor.map returns: the reading end of a MapJob.

#include <memory>
#include <new>

#include "python/map_job.hpp"

namespace treadle::python {

namespace {

struct MapIterator {
  PyObject_HEAD MapJobPtr job;  // null: exhausted or closed
  OneReader reader;
};

PyTypeObject* iterator_type = nullptr;

MapIterator& iterator_of(PyObject* self) { return *reinterpret_cast<MapIterator*>(self); }

// Lets go of the job; safe to call twice, and while `next` is on the stack.
void close_iterator(PyObject* self) {
  const MapJobPtr job = std::move(iterator_of(self).job);
  if (job) job->close();
}

PyObject* next_result(PyObject* self) {
  MapIterator& iterator = iterator_of(self);
  if (!iterator.reader.enter()) return nullptr;
  PyObject* result = iterator.job ? iterator.job->next_if_ready() : nullptr;
  if (result == nullptr && iterator.job) {
    const MapJobPtr kept = iterator.job;
    result = kept->next();
    if (result == nullptr) {
      const SavedError saved;
      close_iterator(self);
    }
  }
  iterator.reader.leave();
  return result;
}

PyObject* close_method(PyObject* self, PyObject*) {
  close_iterator(self);
  Py_RETURN_NONE;
}

int traverse_job(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const MapJobPtr& job = iterator_of(self).job;
  return job ? job->traverse(visit, arg) : 0;
}

int clear(PyObject* self) {
  close_iterator(self);
  return 0;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  close_iterator(self);
  std::destroy_at(&iterator_of(self).job);
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

PyObject* MapJob::make_iterator(MapJobPtr job) {
  PyObject* self = iterator_type->tp_alloc(iterator_type, 0);
  if (self == nullptr) return nullptr;
  new (&iterator_of(self).job) MapJobPtr(std::move(job));
  new (&iterator_of(self).reader) OneReader;
  return self;
}

bool MapJob::make_iterator_type(PyObject* module) {
  static PyMethodDef methods[] = {
      {"close", close_method, METH_NOARGS,
       "close($self, /)\n--\n\n"
       "Cancel the calls that have not started, and let go of results that were not read."},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("The results of Executor.map, in order.")},
      {Py_tp_iter, function_slot(&PyObject_SelfIter)},
      {Py_tp_iternext, function_slot(&next_result)},
      {Py_tp_methods, methods},
      {Py_tp_traverse, function_slot(&traverse_job)},
      {Py_tp_clear, function_slot(&clear)},
      {Py_tp_dealloc, function_slot(&deallocate)},
      {0, nullptr}};
  static PyType_Spec spec{
      "treadle._core.MapIterator", sizeof(MapIterator), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  iterator_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return iterator_type != nullptr &&
         PyModule_AddObjectRef(module, "MapIterator", reinterpret_cast<PyObject*>(iterator_type)) ==
             0;
}

}  // namespace treadle::python
