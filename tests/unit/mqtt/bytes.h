// Builds packets byte by byte, so that tests need no encoder of ours to make good or bad ones.
#pragma once

#include <string>
#include <string_view>

namespace trestle::mqtt::testing {

/// "30 05 00" as bytes.
inline std::string hex(std::string_view digits) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    std::string out;
    for (size_t i = 0; i + 1 < digits.size(); ++i) {
        if (digits[i] == ' ') continue;
        out += static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1]));
        ++i;
    }
    return out;
}

inline std::string variable(size_t n) {
    std::string out;
    for (; n >= 128; n >>= 7) out += static_cast<char>(n | 0x80U);
    return out + static_cast<char>(n);
}

/// A string or binary data.
inline std::string str(std::string_view text) {
    std::string out{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
    return out.append(text);
}

/// A property block, or anything else with a variable length in front.
inline std::string block(std::string_view content) {
    return variable(content.size()).append(content);
}

inline std::string packet(unsigned header, std::string_view body) {
    return std::string(1, static_cast<char>(header)) + block(body);
}

}  // namespace trestle::mqtt::testing
