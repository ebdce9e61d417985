// Bytes on their way out: written at the end, taken from the front.
//
// Owned by one connection and used on its shard only. `reserve` gives uninitialised room, so what
// is encoded is written once. Pointers and views into the buffer hold until the next call that may
// move the bytes (`reserve`, `append`, `release`). Throws std::bad_alloc when memory is out,
// nothing else. How much may be buffered is the owner's limit, not this class's.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace trestle {

class OutBuffer {
 public:
    OutBuffer() noexcept = default;
    ~OutBuffer();
    OutBuffer(OutBuffer&& other) noexcept;
    OutBuffer& operator=(OutBuffer&& other) noexcept;
    OutBuffer(const OutBuffer&) = delete;
    OutBuffer& operator=(const OutBuffer&) = delete;

    /// Room for `n` bytes behind the last one; `commit` says how many of them were written.
    [[nodiscard]] char* reserve(size_t n) {
        if (capacity_ - end_ < n) make_room(n);
        return memory_ + end_;
    }
    void commit(size_t n) noexcept {
        assert(n <= capacity_ - end_);
        end_ += n;
    }
    /// Where they are now, not empty.
    char* append(std::string_view bytes) {
        char* const at = reserve(bytes.size());
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        commit(bytes.size());
        return at;
    }
    [[nodiscard]] std::string_view last(size_t n) const noexcept {
        assert(n <= size());
        return {memory_ + end_ - n, n};
    }

    /// Forgets the first `n` bytes; costs nothing.
    void consume(size_t n) noexcept {
        assert(n <= size());
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    /// Forgets all bytes, keeps the memory.
    void clear() noexcept { begin_ = end_ = 0; }
    /// Gives back the memory that the bytes held do not need: all of it when there are none.
    void release();

    [[nodiscard]] const char* data() const noexcept { return memory_ + begin_; }
    [[nodiscard]] size_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::string_view view() const noexcept { return {data(), size()}; }
    /// The memory held, for accounting.
    [[nodiscard]] size_t capacity() const noexcept { return capacity_; }

 private:
    void make_room(size_t n);
    void resize_memory(size_t capacity);

    char* memory_ = nullptr;
    size_t begin_ = 0;
    size_t end_ = 0;
    size_t capacity_ = 0;
};

}  // namespace trestle
