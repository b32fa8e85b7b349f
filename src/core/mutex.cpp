#include "core/mutex.hpp"

#include <optional>

namespace treadle {

void Mutex::wait() {
  // Whatever ended the sleep, the exchange tells whether the lock was free.  Acquire: as in `lock`.
  while (word_.exchange(kAwaited, std::memory_order_acquire) != kFree) {
    (void)park(word_, kAwaited, std::nullopt);
  }
}

}  // namespace treadle
