// Takes the data types of MQTT (5.0 section 1.5) from the front of borrowed bytes.
//
// Each function answers false when there are too few bytes (the value is then unspecified) and
// never reads beyond the end. Inside the codec only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trestle::mqtt {

class Reader {
 public:
    explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - at_); }
    [[nodiscard]] bool empty() const { return at_ == end_; }
    [[nodiscard]] const char* at() const { return at_; }
    [[nodiscard]] std::string_view rest() const { return {at_, left()}; }

    [[nodiscard]] bool u8(uint8_t& out) {
        if (left() < 1) return false;
        out = byte(0);
        at_ += 1;
        return true;
    }
    [[nodiscard]] bool u16(uint16_t& out) {
        if (left() < 2) return false;
        out = static_cast<uint16_t>(byte(0) << 8 | byte(1));
        at_ += 2;
        return true;
    }
    [[nodiscard]] bool u32(uint32_t& out) {
        if (left() < 4) return false;
        out = static_cast<uint32_t>(byte(0)) << 24 | static_cast<uint32_t>(byte(1)) << 16 |
              static_cast<uint32_t>(byte(2)) << 8 | byte(3);
        at_ += 4;
        return true;
    }
    /// A variable byte integer, in as few bytes as its value needs [MQTT-1.5.5-1] and at most four.
    [[nodiscard]] bool variable(uint32_t& out) {
        out = 0;
        for (unsigned i = 0; i < 4 && i < left(); ++i) {
            out |= static_cast<uint32_t>(byte(i) & 0x7FU) << (7 * i);
            if (byte(i) < 0x80) {
                if (i > 0 && byte(i) == 0) return false;
                at_ += i + 1;
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool bytes(size_t n, std::string_view& out) {
        if (left() < n) return false;
        out = {at_, n};
        at_ += n;
        return true;
    }
    /// Binary data, or a string that is yet to be checked: two bytes of length, then the bytes.
    [[nodiscard]] bool binary(std::string_view& out) {
        uint16_t length = 0;
        return u16(length) && bytes(length, out);
    }

 private:
    [[nodiscard]] uint8_t byte(size_t i) const { return static_cast<uint8_t>(at_[i]); }

    const char* at_;
    const char* end_;
};

}  // namespace trestle::mqtt
