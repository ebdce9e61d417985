// Finds packets in a stream of bytes (MQTT 5.0 section 2.1, 3.1.1 section 2.2).
//
// Borrows the bytes, allocates nothing, keeps no state between calls: asked again with more bytes,
// it starts over, which costs at most five bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mqtt/codec/packet.h"

namespace trestle::mqtt {

/// One packet as it lies in the buffer.
struct Frame {
    uint8_t header = 0;     // type and flags
    size_t size = 0;        // the whole packet; while more bytes are needed, 0 if not known yet
    std::string_view body;  // all behind the fixed header

    [[nodiscard]] PacketType type() const { return static_cast<PacketType>(header >> 4); }
    [[nodiscard]] uint8_t flags() const { return header & 0x0FU; }
};

enum class FrameStatus : uint8_t { need_more, ready, fault };

namespace frame_detail {

/// Type known and reserved flags as they must be [MQTT-2.1.3-1]. The flags of PUBLISH are its
/// decoder's.
constexpr bool header_valid(uint8_t header, Version version) {
    const auto flags = static_cast<uint8_t>(header & 0x0FU);
    switch (header >> 4) {
        case 0:
            return false;
        case 3:
            return true;
        case 6:
        case 8:
        case 10:
            // 3.1 sets DUP when it repeats one of these.
            return flags == 2 || (version == Version::v31 && flags == 0x0A);
        case 15:
            return flags == 0 && version == Version::v5;
        default:
            return flags == 0;
    }
}

Fault bad_header(uint8_t header, Version version) noexcept;
Fault bad_length() noexcept;
Fault too_large() noexcept;

}  // namespace frame_detail

/// Looks for a packet at the front of `buffered`. `ready`: `frame` holds it. `need_more`:
/// frame.size tells how many bytes it takes in all, once that is known. `fault`: the stream is
/// beyond repair; a packet larger than `maximum` is a fault as soon as its length has arrived.
/// Before CONNECT, give Version::v5.
inline FrameStatus read_frame(std::string_view buffered, size_t maximum, Version version,
                              Frame& frame, Fault& fault) {
    frame.size = 0;
    if (buffered.empty()) return FrameStatus::need_more;
    frame.header = static_cast<uint8_t>(buffered[0]);
    if (!frame_detail::header_valid(frame.header, version)) {
        fault = frame_detail::bad_header(frame.header, version);
        return FrameStatus::fault;
    }
    size_t length = 0;
    size_t at = 1;
    for (;; ++at) {
        if (at == buffered.size()) return FrameStatus::need_more;
        const auto byte = static_cast<uint8_t>(buffered[at]);
        length |= static_cast<size_t>(byte & 0x7FU) << (7 * (at - 1));
        if (byte < 0x80) {
            if (byte != 0 || at == 1) break;
            fault = frame_detail::bad_length();  // more bytes than needed [MQTT-1.5.5-1]
            return FrameStatus::fault;
        }
        if (at == 4) {
            fault = frame_detail::bad_length();
            return FrameStatus::fault;
        }
    }
    frame.size = at + 1 + length;
    if (frame.size > maximum) {
        fault = frame_detail::too_large();
        return FrameStatus::fault;
    }
    if (buffered.size() < frame.size) return FrameStatus::need_more;
    frame.body = buffered.substr(at + 1, length);
    return FrameStatus::ready;
}

}  // namespace trestle::mqtt
