// A fast hash of short texts (topics, levels of topics, keys), different in every process: who
// chooses the texts cannot choose where they fall.
//
// Multiplies 64 x 64 to 128 bits and folds, eight bytes at a time. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace trestle {

namespace text_hash_detail {

__extension__ using Wide = unsigned __int128;

inline uint64_t fold(uint64_t a, uint64_t b) noexcept {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

template <class T>
uint64_t load(const char* from) noexcept {
    T word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// Up to seven bytes; with the length, no two texts look the same.
inline uint64_t load_few(const char* at, size_t n) noexcept {
    if (n >= 4) return load<uint32_t>(at) << 32 | load<uint32_t>(at + n - 4);
    if (n == 0) return 0;
    const auto byte = [at](size_t i) { return uint64_t{static_cast<uint8_t>(at[i])}; };
    return byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
}

extern const uint64_t kSecret;
constexpr uint64_t kFirst = 0x9E3779B97F4A7C15U;  // of the golden ratio
constexpr uint64_t kSecond = 0xD6E8FEB86659FD93U;

}  // namespace text_hash_detail

/// `seed` makes hashes of one kind differ from those of another.
inline uint64_t text_hash(std::string_view text, uint64_t seed = 0) noexcept {
    using namespace text_hash_detail;
    uint64_t hash = fold(seed ^ kSecret, kFirst ^ text.size());
    const char* at = text.data();
    size_t left = text.size();
    for (; left > 8; at += 8, left -= 8) hash = fold(hash ^ load<uint64_t>(at), kSecond);
    const uint64_t rest = left == 8 ? load<uint64_t>(at) : load_few(at, left);
    return fold(hash ^ rest, kFirst);
}

}  // namespace trestle
