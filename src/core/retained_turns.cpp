#include "core/retained_turns.h"

#include <algorithm>
#include <utility>

#include "core/retained_reader.h"

namespace trestle {

void RetainedTurns::wait(std::weak_ptr<RetainedReader> reader) {
    line_.push_back(std::move(reader));
    next_turn_soon();
}

void RetainedTurns::spend(size_t visited, size_t messages) {
    left_ -= std::min(left_, visited + (messages + 1) * kStep);
    next_turn_soon();
}

void RetainedTurns::next_turn_soon() {
    if (std::exchange(posted_, true)) return;
    executor_.post([this] { next_turn(); });
}

void RetainedTurns::next_turn() {
    posted_ = false;
    left_ = kBudget;
    while (left_ != 0 && !line_.empty()) {
        const auto reader = line_.front().lock();
        line_.pop_front();
        if (reader) reader->take_turn();
    }
    if (!line_.empty()) next_turn_soon();
}

}  // namespace trestle
