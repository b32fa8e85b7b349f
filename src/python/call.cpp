#include "python/call.hpp"

namespace treadle::python {

void Call::drop_block(CallBlock* block) {
  PyObject** objects = block->objects();
  unless_exiting([&] {
    for (Py_ssize_t i = 0; i < block->count; ++i) Py_DECREF(objects[i]);
  });
  Py_XDECREF(block->keyword_names);
  PyMem_Free(block);
}

bool store_call(PyObject* const* arguments, Py_ssize_t positional, PyObject* keyword_names,
                Py_ssize_t room, CallSlots& slots, CallShape& shape,
                std::uint8_t& inline_positional) {
  if (keyword_names == nullptr && positional <= room) {
    for (Py_ssize_t i = 0; i <= positional; ++i) {
      slots[static_cast<std::size_t>(i)] = Py_NewRef(arguments[i]);
    }
    inline_positional = static_cast<std::uint8_t>(positional);
    shape = CallShape::kInline;
    return true;
  }
  const Py_ssize_t keywords = keyword_names == nullptr ? 0 : PyTuple_GET_SIZE(keyword_names);
  const Py_ssize_t count = 1 + positional + keywords;
  auto* block = static_cast<CallBlock*>(
      PyMem_Malloc(sizeof(CallBlock) + static_cast<std::size_t>(count) * sizeof(PyObject*)));
  if (block == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  *block = {.keyword_names = Py_XNewRef(keyword_names), .positional = positional, .count = count};
  for (Py_ssize_t i = 0; i < count; ++i) block->objects()[i] = Py_NewRef(arguments[i]);
  slots[0] = reinterpret_cast<PyObject*>(block);
  shape = CallShape::kBlock;
  return true;
}

bool describe_call(const CallSlots& slots, CallShape shape, std::uint8_t positional,
                   CallParts& parts) {
  PyObject* const* objects = slots.data();
  Py_ssize_t count = positional;
  PyObject* names = nullptr;
  if (shape == CallShape::kBlock) {
    auto* block = reinterpret_cast<CallBlock*>(slots[0]);
    objects = block->objects();
    count = block->positional;
    names = block->keyword_names;
  }
  parts.kwargs = Ref::steal(PyDict_New());
  if (!parts.kwargs) return false;
  if (shape == CallShape::kEmpty) {
    parts.fn = Ref::borrow(Py_None);
    parts.args = Ref::steal(PyTuple_New(0));
    return static_cast<bool>(parts.args);
  }
  parts.fn = Ref::borrow(objects[0]);
  parts.args = Ref::steal(PyTuple_New(count));
  if (!parts.args) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTuple_SET_ITEM(parts.args.get(), i, Py_NewRef(objects[1 + i]));
  }
  const Py_ssize_t keywords = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    if (PyDict_SetItem(parts.kwargs.get(), PyTuple_GET_ITEM(names, i), objects[1 + count + i]) <
        0) {
      return false;
    }
  }
  return true;
}

int visit_call(const CallSlots& slots, CallShape shape, std::uint8_t positional, visitproc visit,
               void* arg) {
  if (shape == CallShape::kInline) {
    for (int i = 0; i <= positional; ++i) Py_VISIT(slots[static_cast<std::size_t>(i)]);
  } else if (shape == CallShape::kBlock) {
    auto* block = reinterpret_cast<CallBlock*>(slots[0]);
    for (Py_ssize_t i = 0; i < block->count; ++i) Py_VISIT(block->objects()[i]);
    Py_VISIT(block->keyword_names);
  }
  return 0;
}

}  // namespace treadle::python
