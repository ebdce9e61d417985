// CONNACK, the acknowledgements of PUBLISH, PINGREQ, PINGRESP, DISCONNECT and AUTH (MQTT 5.0
// sections 3.2, 3.4 to 3.7, 3.12 to 3.15).
#include "mqtt/codec/decode.h"
#include "mqtt/codec/faults.h"
#include "mqtt/codec/properties_decode.h"

namespace trestle::mqtt {

Fault decode_ack(Version version, const Frame& frame, Ack& out) {
    out = {};
    Reader in(frame.body);
    if (!in.u16(out.packet_id)) return truncated();
    if (out.packet_id == 0) return zero_packet_id();
    if (in.empty()) return {};
    if (version != Version::v5) return trailing_bytes();
    uint8_t code = 0;
    if (!in.u8(code)) return truncated();
    out.reason = static_cast<Reason>(code);
    if (!reason_allowed(frame.type(), out.reason)) return bad_reason_code();
    if (in.empty()) return {};
    Properties properties;
    if (Fault fault = decode_properties(in, allowed_in::kAck, properties)) return fault;
    out.reason_string = properties.reason_string.value_or(std::string_view());
    out.user_properties = properties.user_properties;
    return in.empty() ? Fault{} : trailing_bytes();
}

Fault decode_ping(const Frame& frame) { return frame.body.empty() ? Fault{} : trailing_bytes(); }

Fault decode_disconnect(Version version, const Frame& frame, Disconnect& out, Sender sender) {
    out = {};
    Reader in(frame.body);
    if (in.empty()) return {};
    if (version != Version::v5) return trailing_bytes();
    uint8_t code = 0;
    if (!in.u8(code)) return truncated();
    out.reason = static_cast<Reason>(code);
    if (!reason_allowed(PacketType::disconnect, out.reason)) return bad_reason_code();
    if (in.empty()) return {};
    const PropertySet allowed = sender == Sender::client ? allowed_in::kDisconnectOfClient
                                                         : allowed_in::kDisconnectOfServer;
    if (Fault fault = decode_properties(in, allowed, out.properties)) return fault;
    return in.empty() ? Fault{} : trailing_bytes();
}

Fault decode_auth(const Frame& frame, Auth& out, Sender sender) {
    out = {};
    Reader in(frame.body);
    uint8_t code = 0;
    if (!in.empty()) {
        if (!in.u8(code)) return truncated();
        out.reason = static_cast<Reason>(code);
        if (!reason_allowed(PacketType::auth, out.reason)) return bad_reason_code();
        if (in.empty()) return truncated();  // the length of the properties is not optional here
        if (Fault fault = decode_properties(in, allowed_in::kAuth, out.properties)) return fault;
        if (!in.empty()) return trailing_bytes();
        if (!out.properties.authentication_method) {
            return protocol_error("AUTH has no authentication method");
        }
    }
    // Table 3-11: success is the server's word, re-authentication the client's.
    const Reason not_his = sender == Sender::client ? Reason::success : Reason::reauthenticate;
    return out.reason == not_his ? bad_reason_code() : Fault{};
}

Fault decode_connack(Version version, const Frame& frame, Connack& out) {
    out = {};
    Reader in(frame.body);
    uint8_t flags = 0;
    uint8_t code = 0;
    if (!in.u8(flags) || !in.u8(code)) return truncated();
    if (flags > 1) return malformed("reserved flags of CONNACK are set");  // [MQTT-3.2.2-1]
    out.session_present = flags == 1;
    if (version == Version::v5) {
        out.reason = static_cast<Reason>(code);
        if (!reason_allowed(PacketType::connack, out.reason)) return bad_reason_code();
        if (Fault fault = decode_properties(in, allowed_in::kConnack, out.properties)) return fault;
    } else {
        if (code > 5) return bad_reason_code();
        out.reason = reason_of_return_code(code);
    }
    if (out.session_present && out.reason != Reason::success) {  // [MQTT-3.2.2-6]
        return protocol_error("CONNACK refuses and has session present set");
    }
    return in.empty() ? Fault{} : trailing_bytes();
}

}  // namespace trestle::mqtt
