// Messages compressed one by one (permessage-deflate, RFC 7692), without context takeover: a
// connection holds no state for it, and one compressor and one decompressor serve all connections
// of a thread. Any thread; nothing throws but std::bad_alloc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/out_buffer.h"

namespace trestle::websocket {

inline constexpr int kLargestDeflateWindow = 15;

/// What is agreed on in a handshake.
struct DeflateAgreement {
    int window_bits = 0;  ///< of what we compress, 9 to 15; 0: nothing is agreed on
    std::string answer;   ///< the value of our Sec-WebSocket-Extensions
    explicit operator bool() const { return window_bits != 0; }
};
/// The first offer, in the headers' order, that can be accepted. What is malformed is no offer.
DeflateAgreement agree_on_deflate(const std::vector<std::string_view>& offers);

/// Of a message; valid until the next call on this thread.
std::string_view deflate_message(std::string_view message, int window_bits);

enum class Inflated : uint8_t { good, malformed, too_large };
/// Appends the message; stops when there would be more than `most` bytes of it.
Inflated inflate_message(std::string_view compressed, uint64_t most, OutBuffer& out);

}  // namespace trestle::websocket
