// WebSocket frames as a server sees them (RFC 6455 section 5): headers in and out, and the rules
// that each must keep. No I/O, no memory of its own but a few bytes of state; used wherever its
// owner lives. A breach is a value: a sentence.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/out_buffer.h"

namespace trestle::websocket {

enum class Opcode : uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

constexpr bool is_control(Opcode opcode) { return opcode >= Opcode::close; }

/// Section 7.4.1.
enum class CloseCode : uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    none = 1005,  ///< never sent: the frame had no code
    bad_text = 1007,
    policy = 1008,
    too_large = 1009,
};

inline constexpr size_t kLargestControl = 125;

struct FrameHeader {
    Opcode opcode = Opcode::binary;
    bool fin = false;
    bool compressed = false;  ///< the first of a message that is (RFC 7692 section 6)
    std::array<uint8_t, 4> mask{};
    uint64_t length = 0;
    size_t size = 0;  ///< of the header itself
};

/// Reads the headers of one client's frames, one after the other.
class FrameReader {
 public:
    /// `deflate`: compressed messages have been agreed on.
    explicit FrameReader(bool deflate) : deflate_(deflate) {}

    enum class Status : uint8_t { complete, need_more, fault };
    Status read(std::string_view bytes, FrameHeader& header);
    /// What is wrong, after `fault`.
    [[nodiscard]] const char* fault() const { return fault_; }

 private:
    Status refuse(const char* why) {
        fault_ = why;
        return Status::fault;
    }

    bool deflate_;
    bool in_message_ = false;  // a message has begun whose last fragment has not come
    const char* fault_ = nullptr;
};

/// Writes `size` bytes without the mask of a header; the first of them is number `offset` of the
/// payload.
void unmask(char* out, const char* in, size_t size, const std::array<uint8_t, 4>& mask,
            uint64_t offset);

/// A header of ours: one unmasked frame that is a whole message.
void append_header(OutBuffer& out, Opcode opcode, size_t length, bool compressed = false);
void append_frame(OutBuffer& out, Opcode opcode, std::string_view payload, bool compressed = false);
/// The reason is cut to what fits.
void append_close(OutBuffer& out, CloseCode code, std::string_view reason);

/// What a close frame says; nothing when it breaks the rules. Its reason must be UTF-8: see
/// `reason_is_text`.
struct CloseFrame {
    CloseCode code = CloseCode::none;
    bool reason_is_text = true;
};
std::optional<CloseFrame> read_close(std::string_view payload);

}  // namespace trestle::websocket
