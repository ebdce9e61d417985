#include "core/utf8.h"

#include <algorithm>

namespace trestle {
namespace {

bool is_continuation(char c) noexcept { return (static_cast<uint8_t>(c) & 0xC0U) == 0x80U; }

/// The length of the character of two or more bytes that `at` starts, 0 if it is ill-formed
/// (Unicode, table 3-7). It may be longer than `left`: then what is there of it is well-formed.
size_t long_character(const char* at, size_t left) noexcept {
    const auto lead = static_cast<uint8_t>(at[0]);
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (left < 2) return length;
    const auto second = static_cast<uint8_t>(at[1]);
    uint8_t lowest = 0x80;
    uint8_t highest = 0xBF;
    if (lead == 0xE0) lowest = 0xA0;   // shorter forms exist
    if (lead == 0xED) highest = 0x9F;  // surrogates
    if (lead == 0xF0) lowest = 0x90;
    if (lead == 0xF4) highest = 0x8F;  // beyond U+10FFFF
    if (second < lowest || second > highest) return 0;
    for (size_t i = 2; i < length && i < left; ++i) {
        if (!is_continuation(at[i])) return 0;
    }
    return length;
}

template <bool AllowZero>
bool plain_ascii(uint64_t word) noexcept {
    if constexpr (AllowZero) return (word & eight_bytes::kHighs) == 0;
    return eight_bytes::not_ascii_or_zero(word) == 0;
}

template <bool AllowZero>
bool check(std::string_view text) noexcept {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (end - at >= 8 && plain_ascii<AllowZero>(eight_bytes::load(at))) at += 8;
    if (at == end) return true;
    // The last bytes of a text that was ASCII so far: one look that overlaps what is checked.
    if (text.size() >= 8 && plain_ascii<AllowZero>(eight_bytes::load(end - 8)) && end - at < 8) {
        return true;
    }
    while (at != end) {
        const auto c = static_cast<uint8_t>(*at);
        if (c >= 0x80) {
            const auto left = static_cast<size_t>(end - at);
            const size_t length = long_character(at, left);
            if (length == 0 || length > left) return false;
            at += length;
            continue;
        }
        if (end - at >= 8 && plain_ascii<AllowZero>(eight_bytes::load(at))) {
            at += 8;
            continue;
        }
        if (!AllowZero && c == 0) return false;
        ++at;
    }
    return true;
}

}  // namespace

bool is_valid_mqtt_utf8(std::string_view text) noexcept { return check<false>(text); }
bool is_plain_utf8(std::string_view text) noexcept { return check<true>(text); }

std::optional<size_t> whole_utf8(std::string_view text) noexcept {
    size_t whole = text.size();
    // No more than the last three bytes can be the beginning of a character.
    for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
        const char* at = text.data() + text.size() - back;
        if (is_continuation(*at)) continue;
        if (static_cast<uint8_t>(*at) >= 0x80) {
            const size_t length = long_character(at, back);
            if (length == 0) return {};
            if (length > back) whole -= back;
        }
        break;
    }
    if (!is_plain_utf8(text.substr(0, whole))) return {};
    return whole;
}

}  // namespace trestle
