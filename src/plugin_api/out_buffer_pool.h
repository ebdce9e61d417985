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
        bytes_ -= buffer.capacity();
        return buffer;
    }
    /// Keeps buffers of moderate size, up to a bound together, and frees the rest.
    void give(OutBuffer&& buffer) {
        buffer.clear();
        const size_t capacity = buffer.capacity();
        if (capacity != 0 && capacity <= kLargestKept && bytes_ + capacity <= kBytesKept) {
            free_.push_back(std::move(buffer));
            bytes_ += capacity;
        } else {
            buffer.release();
        }
    }

 private:
    static constexpr size_t kLargestKept = 1u << 20;
    static constexpr size_t kBytesKept = 8u << 20;
    std::vector<OutBuffer> free_;
    size_t bytes_ = 0;
};

}  // namespace trestle
