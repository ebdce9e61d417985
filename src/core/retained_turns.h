// When the sessions of one shard may read from the retained store.
//
// To look at topics costs time also where none matches, and clients may ask for a great deal at
// once: each turn of the shard has one budget for all of them. Whoever finds it used up waits in
// line, and each in the line gets one portion before anybody gets another.
//
// Owned by its `HubShard` and used on that shard only.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "core/executor.h"

namespace trestle {

class RetainedReader;

class RetainedTurns {
 public:
    explicit RetainedTurns(Executor& executor) : executor_(executor) {}
    RetainedTurns(const RetainedTurns&) = delete;

    /// Something is left of this turn's budget, and nobody waits for it.
    [[nodiscard]] bool open() const { return left_ != 0 && line_.empty(); }
    /// In a later turn its `take_turn` is called, if it is still there.
    void wait(std::weak_ptr<RetainedReader> reader);
    /// A portion has been read: so many topics were looked at, so many messages came of it.
    void spend(size_t visited, size_t messages);

 private:
    void next_turn_soon();
    void next_turn();

    static constexpr size_t kBudget = 4096;  // topics looked at
    // To begin a portion, or to hand a message over, costs as much as to look at so many topics.
    static constexpr size_t kStep = 16;

    Executor& executor_;
    std::deque<std::weak_ptr<RetainedReader>> line_;
    size_t left_ = kBudget;
    bool posted_ = false;
};

}  // namespace trestle
