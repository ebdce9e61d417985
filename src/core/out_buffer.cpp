#include "core/out_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

namespace trestle {
namespace {
constexpr size_t kSmallest = 256;
}

OutBuffer::~OutBuffer() { std::free(memory_); }

OutBuffer::OutBuffer(OutBuffer&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

OutBuffer& OutBuffer::operator=(OutBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
}

void OutBuffer::make_room(size_t n) {
    const size_t held = size();
    if (n > std::numeric_limits<size_t>::max() / 2 - held) throw std::bad_alloc();
    if (begin_ != 0 && held != 0) std::memmove(memory_, memory_ + begin_, held);
    // Moving the bytes to the front is paid for by those consumed only if they are no more than
    // these; else the memory grows too, so that a long backlog is not moved again and again.
    const bool enough = capacity_ - held >= n && held <= begin_;
    begin_ = 0;
    end_ = held;
    if (!enough) resize_memory(std::max({kSmallest, capacity_ * 2, held + n}));
}

void OutBuffer::resize_memory(size_t capacity) {
    auto* const memory = static_cast<char*>(std::realloc(memory_, capacity));
    if (memory == nullptr) throw std::bad_alloc();
    memory_ = memory;
    capacity_ = capacity;
}

void OutBuffer::release() {
    const size_t held = size();
    if (held == 0) {
        std::free(memory_);
        memory_ = nullptr;
        begin_ = end_ = capacity_ = 0;
        return;
    }
    if (begin_ != 0) std::memmove(memory_, memory_ + begin_, held);
    begin_ = 0;
    end_ = held;
    if (held < capacity_) resize_memory(held);
}

}  // namespace trestle
