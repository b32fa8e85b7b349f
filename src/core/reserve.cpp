#include "core/reserve.hpp"

#include <algorithm>

namespace treadle {

Reserves::~Reserves() {
  for (List* list : {&used_, &spare_}) list->clear_and_dispose(std::default_delete<Reserve>());
}

std::size_t Reserves::kept_in_use() const {
  std::size_t in_use = 0;
  for (const Reserve& reserve : used_) in_use += std::min(reserve.running_, reserve.workers_);
  return in_use;
}

Reserve& Reserves::open(std::size_t workers, std::unique_ptr<Reserve>& fresh) {
  if (spare_.empty()) {
    used_.push_back(*fresh.release());
  } else {
    used_.splice(used_.end(), spare_, spare_.begin());
  }
  Reserve& reserve = used_.back();
  reserve.workers_ = workers;
  reserve.forgotten_ = false;
  kept_ += workers;
  return reserve;
}

void Reserves::close(Reserve& reserve) {
  kept_ -= reserve.workers_;
  reserve.workers_ = 0;
}

void Reserves::forget(Reserve& reserve) {
  close(reserve);
  reserve.forgotten_ = true;
  set_aside_if_over(reserve);
}

void Reserves::set_aside_if_over(Reserve& reserve) {
  if (!reserve.forgotten_ || reserve.running_ != 0) return;
  spare_.splice(spare_.end(), used_, used_.iterator_to(reserve));
}

void Reserves::forget_running() {
  for (auto at = used_.begin(); at != used_.end();) {
    Reserve& reserve = *at++;
    reserve.running_ = 0;
    set_aside_if_over(reserve);
  }
}

}  // namespace treadle
