// The sentences that several decoders share. Inside the codec only.
#pragma once

#include "mqtt/codec/packet.h"

namespace trestle::mqtt {

[[nodiscard]] constexpr Fault malformed(const char* sentence) {
    return {Reason::malformed_packet, sentence};
}
[[nodiscard]] constexpr Fault protocol_error(const char* sentence) {
    return {Reason::protocol_error, sentence};
}

[[nodiscard]] constexpr Fault truncated() {
    return malformed("the packet ends in the middle of a field");
}
[[nodiscard]] constexpr Fault trailing_bytes() {
    return malformed("the packet has bytes behind its last field");
}
[[nodiscard]] constexpr Fault bad_utf8() {
    return malformed("a string is not UTF-8, or contains U+0000");
}
/// [MQTT-2.2.1-3]
[[nodiscard]] constexpr Fault zero_packet_id() {
    return protocol_error("the packet identifier is 0");
}
[[nodiscard]] constexpr Fault bad_reason_code() {
    return protocol_error("the reason code is not one that this packet may carry");
}
[[nodiscard]] constexpr Fault bad_property_length() {
    return malformed("the property length is malformed or reaches beyond the packet");
}
[[nodiscard]] constexpr Fault property_not_allowed() {
    return malformed("a property is unknown or not allowed in this packet");
}
[[nodiscard]] constexpr Fault property_repeated() {
    return protocol_error("a property comes more than once");
}
[[nodiscard]] constexpr Fault property_truncated() {
    return malformed("a property is malformed or reaches beyond the properties");
}

}  // namespace trestle::mqtt
