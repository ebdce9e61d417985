#include "core/base64.h"

#include <array>
#include <cstdint>

namespace trestle {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kInvalid = 0xFF;

constexpr std::array<uint8_t, 256> kValues = [] {
    std::array<uint8_t, 256> values{};
    values.fill(kInvalid);
    for (size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
    }
    return values;
}();

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t here = std::min<size_t>(3, bytes.size() - i);
        uint32_t group = 0;
        for (size_t j = 0; j < 3; ++j) {
            group = group << 8 | (j < here ? static_cast<uint8_t>(bytes[i + j]) : 0U);
        }
        for (size_t j = 0; j < 4; ++j) {
            text.push_back(j <= here ? kAlphabet[group >> (18 - 6 * j) & 63] : '=');
        }
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return {};
    size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    uint32_t group = 0;
    for (size_t i = 0; i < text.size() - padding; ++i) {
        const uint8_t value = kValues[static_cast<uint8_t>(text[i])];
        if (value == kInvalid) return {};
        group = group << 6 | value;
        if (i % 4 != 3) continue;
        for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<char>(group >> shift & 255));
        group = 0;
    }
    if (padding == 1) {
        if ((group & 3) != 0) return {};
        bytes.push_back(static_cast<char>(group >> 10 & 255));
        bytes.push_back(static_cast<char>(group >> 2 & 255));
    } else if (padding == 2) {
        if ((group & 15) != 0) return {};
        bytes.push_back(static_cast<char>(group >> 4 & 255));
    }
    return bytes;
}

}  // namespace trestle
