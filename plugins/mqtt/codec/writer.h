// Writes the data types of MQTT (5.0 section 1.5) into room that was reserved for them.
// Inside the codec only; the caller has computed the size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace trestle::mqtt {

constexpr uint32_t kLargestVariable = 268'435'455;
constexpr size_t kLongestString = 65'535;

/// How many bytes a variable byte integer takes: the fewest [MQTT-1.5.5-1].
constexpr size_t variable_size(size_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

class Writer {
 public:
    explicit Writer(char* at) : at_(at) {}

    [[nodiscard]] char* at() const { return at_; }
    void u8(uint8_t value) { *at_++ = static_cast<char>(value); }
    void u16(uint16_t value) {
        u8(static_cast<uint8_t>(value >> 8));
        u8(static_cast<uint8_t>(value));
    }
    void u32(uint32_t value) {
        u16(static_cast<uint16_t>(value >> 16));
        u16(static_cast<uint16_t>(value));
    }
    void variable(size_t value) {
        while (value >= 0x80) {
            u8(static_cast<uint8_t>(value | 0x80U));
            value >>= 7;
        }
        u8(static_cast<uint8_t>(value));
    }
    void bytes(std::string_view bytes) {
        if (bytes.empty()) return;
        std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }
    /// A string or binary data, with its length in front.
    void binary(std::string_view data) {
        u16(static_cast<uint16_t>(data.size()));
        bytes(data);
    }

 private:
    char* at_;
};

}  // namespace trestle::mqtt
