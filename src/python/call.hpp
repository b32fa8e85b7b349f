// A Python call that waits to be made: the callable, its positional and its keyword arguments,
// kept in the form in which CPython calls them (vectorcall), so that neither a tuple nor a
// dictionary is built.
//
// `StoredCall` is the form at rest, inside a future: up to three positional arguments lie in the
// future itself, anything else in one block.  `Call` is the form in flight, on the stack of the
// thread that makes it.  Thread safety: none; the future's owner guards a StoredCall.
// Invariants:
//  1. Each holds one reference to every object in it, and `Call` is the only way to give them up.
//  2. A StoredCall that was moved out is empty; taking it twice gives an empty Call.
//  3. Pools that measure durations keep the moment of submission in the last slots, where their
//     inline calls have no arguments: it costs the futures of other pools nothing.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "core/statistics.hpp"
#include "python/python_api.hpp"

namespace treadle::python {

// A call that does not fit into a future: `count` objects follow, the callable first.
struct CallBlock {
  PyObject* keyword_names;  // a tuple, or null; owned
  Py_ssize_t positional;
  Py_ssize_t count;

  PyObject** objects() { return reinterpret_cast<PyObject**>(this + 1); }
};

enum class CallShape : std::uint8_t { kEmpty, kInline, kBlock };

constexpr Py_ssize_t kInlineArguments = 3;
using CallSlots = std::array<PyObject*, kInlineArguments + 1>;
constexpr std::size_t kMomentSlots = (sizeof(Moment) + sizeof(PyObject*) - 1) / sizeof(PyObject*);

class Call {
 public:
  Call() = default;
  // Takes over what `slots` hold.
  Call(const CallSlots& slots, CallShape shape, std::uint8_t positional)
      : slots_(slots), shape_(shape), positional_(positional) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { drop(); }

  // Takes over another call; must only be called on an empty one.
  void replace(const CallSlots& slots, CallShape shape, std::uint8_t positional) {
    slots_ = slots;
    shape_ = shape;
    positional_ = positional;
  }

  // What is called, borrowed; must not be empty.
  [[nodiscard]] PyObject* callable() const {
    if (shape_ == CallShape::kInline) return slots_[0];
    return reinterpret_cast<CallBlock*>(slots_[0])->objects()[0];
  }

  // Its first positional argument, borrowed, or null; must not be empty.
  [[nodiscard]] PyObject* first_argument() const {
    if (shape_ == CallShape::kInline) return positional_ != 0 ? slots_[1] : nullptr;
    auto* block = reinterpret_cast<CallBlock*>(slots_[0]);
    return block->positional != 0 ? block->objects()[1] : nullptr;
  }

  [[nodiscard]] bool empty() const { return shape_ == CallShape::kEmpty; }

  // When it was submitted.  Must only be called in a pool that measures durations.
  [[nodiscard]] Moment submission() const {
    Moment moment = 0;
    std::memcpy(&moment, &slots_[slots_.size() - kMomentSlots], sizeof(moment));
    return moment;
  }

  // Makes the call; a new reference, or null with an error set.
  [[nodiscard]] PyObject* invoke() {
    return unless_exiting([this] { return vectorcall(); });
  }

  // Gives up all references.
  void drop() {
    const CallShape shape = std::exchange(shape_, CallShape::kEmpty);
    if (shape == CallShape::kInline) {
      unless_exiting([this] {
        for (int i = 0; i <= positional_; ++i) Py_DECREF(slots_[static_cast<std::size_t>(i)]);
      });
    } else if (shape == CallShape::kBlock) {
      drop_block(reinterpret_cast<CallBlock*>(slots_[0]));
    }
  }

 private:
  static void drop_block(CallBlock* block);

  [[nodiscard]] PyObject* vectorcall() {
    if (shape_ == CallShape::kInline) {
      // The slot before the first argument is ours: a bound method may borrow it for its self.
      return PyObject_Vectorcall(slots_[0], &slots_[1],
                                 positional_ | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
    }
    auto* block = reinterpret_cast<CallBlock*>(slots_[0]);
    PyObject** objects = block->objects();
    return PyObject_Vectorcall(
        objects[0], objects + 1,
        static_cast<size_t>(block->positional) | PY_VECTORCALL_ARGUMENTS_OFFSET,
        block->keyword_names);
  }

  CallSlots slots_;
  CallShape shape_ = CallShape::kEmpty;
  std::uint8_t positional_ = 0;
};

// Copies a call in vectorcall form: `arguments[0]` is the callable, `positional` counts the
// arguments behind it, and the values of `keyword_names` (a tuple or null) follow them.  At most
// `room` arguments are kept inline.  Returns false with MemoryError set.
[[nodiscard]] bool store_call(PyObject* const* arguments, Py_ssize_t positional,
                              PyObject* keyword_names, Py_ssize_t room, CallSlots& slots,
                              CallShape& shape, std::uint8_t& inline_positional);

// The same for a call of which the moment of submission is kept.
[[nodiscard]] inline bool store_measured_call(PyObject* const* arguments, Py_ssize_t positional,
                                              PyObject* keyword_names, Moment submission,
                                              CallSlots& slots, CallShape& shape,
                                              std::uint8_t& inline_positional) {
  constexpr Py_ssize_t kRoom = kInlineArguments - static_cast<Py_ssize_t>(kMomentSlots);
  std::memcpy(&slots[slots.size() - kMomentSlots], &submission, sizeof(submission));
  return store_call(arguments, positional, keyword_names, kRoom, slots, shape, inline_positional);
}

// The parts of a stored call as Python users see them: fn, args (a tuple), kwargs (a dict).
struct CallParts {
  Ref fn, args, kwargs;
};
[[nodiscard]] bool describe_call(const CallSlots& slots, CallShape shape, std::uint8_t positional,
                                 CallParts& parts);

// For the garbage collector.
[[nodiscard]] int visit_call(const CallSlots& slots, CallShape shape, std::uint8_t positional,
                             visitproc visit, void* arg);

}  // namespace treadle::python
