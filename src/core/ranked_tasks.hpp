// Ranked tasks in their order: a tree of the different ranks there are, in which equals stand in
// line.  So one more among equals costs the logarithm of the number of different ranks, one less
// nothing, and any can be taken out without a walk.
//
// Thread safety: none; part of a queue.
// Invariants:
//  1. Equals form a ring, the first of them in front; that one, and no other, is in the tree.
//  2. A rank is in the ring as long as it is here; who was first in the ring came first.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstddef>

#include "core/rank.hpp"

namespace treadle {

class RankedTasks {
 public:
  [[nodiscard]] bool empty() const { return tree_.empty(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Rank& front() { return *tree_.begin(); }

  // Behind its equals.
  void insert(Rank& rank);
  void erase(Rank& rank);

  // The first in order that `wanted(rank)` accepts, or null.
  template <class Wanted>
  Rank* find_first(Wanted wanted) {
    for (Rank& first : tree_) {
      if (Rank* found = find_in_line(first, wanted)) return found;
    }
    return nullptr;
  }

  // Of those of the highest level among the ones that `wanted` accepts, the one that was there
  // first, or null.
  template <class Wanted>
  Rank* find_oldest(Wanted wanted) {
    Rank* oldest = nullptr;
    for (auto first = tree_.end(); first != tree_.begin();) {
      --first;
      if (oldest != nullptr && first->level() != oldest->level()) break;
      Rank* found = find_in_line(*first, wanted);
      if (found != nullptr && (oldest == nullptr || found->was_before(*oldest))) oldest = found;
    }
    return oldest;
  }

  // Shows all, in order; `visit(rank)` may erase what it is shown.
  template <class Visit>
  void for_each(Visit visit) {
    for (auto at = tree_.begin(); at != tree_.end();) {
      Rank* rank = &*at++;  // what follows it in the tree stays there
      const Rank* const last = rank->before_;
      for (bool more = true; more;) {
        more = rank != last;
        Rank& shown = *rank;
        rank = rank->behind_;
        visit(shown);
      }
    }
  }

 private:
  template <class Wanted>
  static Rank* find_in_line(Rank& first, Wanted wanted) {
    Rank* at = &first;
    do {
      if (wanted(*at)) return at;
      at = at->behind_;
    } while (at != &first);
    return nullptr;
  }

  boost::intrusive::set<Rank, boost::intrusive::constant_time_size<false>> tree_;
  std::size_t size_ = 0;
};

}  // namespace treadle
