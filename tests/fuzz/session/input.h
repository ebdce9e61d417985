// A fuzzer's bytes read as choices. When they are used up, every further choice is the first one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace trestle::fuzz {

class Input {
 public:
    Input(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

    [[nodiscard]] bool empty() const { return at_ == end_; }
    uint8_t byte() { return at_ == end_ ? uint8_t{0} : *at_++; }
    size_t below(size_t n) { return byte() % n; }
    /// True once in `n` times.
    bool once_in(size_t n) { return below(n) == n - 1; }
    template <class T, size_t N>
    const T& one_of(const T (&all)[N]) {
        return all[below(N)];
    }

 private:
    const uint8_t* at_;
    const uint8_t* end_;
};

}  // namespace trestle::fuzz
