// UTF-8 as MQTT asks for it (MQTT 5.0 section 1.5.4, 3.1.1 section 1.5.3).
//
// Pure functions over borrowed bytes: no allocation, no errors but the answer, any thread.
// ASCII is checked eight bytes at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace trestle {

/// Well-formed UTF-8 without surrogates, overlong forms and U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
/// Control characters and non-characters are discouraged by the specification, not forbidden.
[[nodiscard]] bool is_valid_mqtt_utf8(std::string_view text) noexcept;

/// The same, with U+0000 allowed (payloads that are said to be text).
[[nodiscard]] bool is_plain_utf8(std::string_view text) noexcept;

/// Of the beginning of a text: how many of its bytes are whole characters. At most three are left
/// over, which what follows may complete. Nothing: no continuation makes it UTF-8.
[[nodiscard]] std::optional<size_t> whole_utf8(std::string_view text) noexcept;

// Eight bytes at once: the arithmetic that the checks here and in the codec share.
namespace eight_bytes {

constexpr uint64_t kOnes = 0x0101010101010101U;
constexpr uint64_t kHighs = 0x8080808080808080U;

inline uint64_t load(const char* from) noexcept {
    uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// High bits set where the word has a byte of 0x80 or more or, exact only if it has none of those,
/// a zero byte.
constexpr uint64_t not_ascii_or_zero(uint64_t word) noexcept {
    return (word | (word - kOnes)) & kHighs;
}

/// Not zero if the word, all of whose bytes are below 0x80, contains `c`.
constexpr uint64_t find(uint64_t word, char c) noexcept {
    return ((word ^ (kOnes * static_cast<uint8_t>(c))) - kOnes) & kHighs;
}

}  // namespace eight_bytes
}  // namespace trestle
