// A reference count for C++ objects that threads share.
//
// Thread safety: any thread.  Invariant: the count reaches zero once, and `try_retain` fails from
// then on; so a registry may list objects that are being destroyed, as long as their destructor
// takes them off the list.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstddef>

namespace treadle::python {

template <class Derived>
class Shared {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  [[nodiscard]] bool try_retain() const {
    std::size_t count = count_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_shared() const { return count_.load(std::memory_order_relaxed) > 1; }

  friend void intrusive_ptr_add_ref(const Derived* object) {
    object->count_.fetch_add(1, std::memory_order_relaxed);  // the caller holds one already
  }
  friend void intrusive_ptr_release(const Derived* object) {
    // Release: this thread's writes come before the destruction; acquire: it sees the others'.
    if (object->count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete object;
  }

 protected:
  ~Shared() = default;

 private:
  mutable std::atomic<std::size_t> count_{0};
};

}  // namespace treadle::python
