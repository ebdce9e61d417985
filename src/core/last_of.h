// Waiting for several things that end on whatever threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace trestle {

/// To be called `parts` times, at least once, from any thread: the last call calls `done`, which
/// sees what was done before the others. Copies count together.
[[nodiscard]] inline std::function<void()> last_of(size_t parts, std::function<void()> done) {
    return [left = std::make_shared<std::atomic<size_t>>(parts), done = std::move(done)] {
        if (left->fetch_sub(1, std::memory_order_acq_rel) == 1) done();
    };
}

}  // namespace trestle
