// Output buffers that are empty now but warm: a connection borrows one while it has bytes to write
// and gives it back when they are written, so an idle connection holds none. Used on one shard.
#pragma once

#include <cstddef>
#include <vector>

#include "core/out_buffer.h"

namespace trestle {

class OutBufferPool {
 public:
    OutBuffer take() {
        if (free_.empty()) return {};
        OutBuffer buffer = std::move(free_.back());
        free_.pop_back();
        return buffer;
    }
    /// Keeps a few buffers of moderate size and frees the rest.
    void give(OutBuffer&& buffer) {
        buffer.clear();
        if (free_.size() < kKept && buffer.capacity() != 0 && buffer.capacity() <= kLargestKept) {
            free_.push_back(std::move(buffer));
        } else {
            buffer.release();
        }
    }

 private:
    static constexpr size_t kKept = 64;
    static constexpr size_t kLargestKept = 1u << 20;
    std::vector<OutBuffer> free_;
};

}  // namespace trestle
