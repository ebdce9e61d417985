// What a server sends beside PUBLISH: CONNACK, the acknowledgements, SUBACK, UNSUBACK, PINGRESP,
// DISCONNECT, AUTH (MQTT 5.0 sections 3.2, 3.4 to 3.7, 3.9, 3.11, 3.13 to 3.15).
#include "mqtt/codec/encode.h"
#include "mqtt/codec/properties_encode.h"

namespace trestle::mqtt {
namespace {

size_t commit(OutBuffer& out, size_t remaining) {
    out.commit(packet_size(remaining));
    return packet_size(remaining);
}

/// The flags of PUBREL are 0010 [MQTT-3.6.1-1].
uint8_t ack_header(PacketType type) { return header_of(type, type == PacketType::pubrel ? 2 : 0); }

/// A packet of two bytes and no more.
void put_empty(OutBuffer& out, PacketType type) {
    (void)start_packet(out, header_of(type), 0);
    commit(out, 0);
}

size_t encode_subscription_ack(OutBuffer& out, PacketType type, const SubscriptionAck& packet,
                               size_t maximum) {
    const size_t others = 2 + packet.reasons.size();
    const auto block = fit_properties(packet.properties, allowed_in::kAck, others, maximum);
    if (!block) return 0;
    const size_t remaining = length_with(*block, others);
    Writer writer = start_packet(out, header_of(type), remaining);
    writer.u16(packet.packet_id);
    write_properties(writer, *block);
    writer.bytes(packet.reasons);
    return commit(out, remaining);
}

/// DISCONNECT and AUTH with their properties.
size_t put_reason(OutBuffer& out, PacketType type, Reason reason, const PropertyBlock& block) {
    const size_t remaining = length_with(block, 1);
    Writer writer = start_packet(out, header_of(type), remaining);
    writer.u8(static_cast<uint8_t>(reason));
    write_properties(writer, block);
    return commit(out, remaining);
}

}  // namespace

void encode_ack(OutBuffer& out, PacketType type, uint16_t packet_id) {
    Writer writer = start_packet(out, ack_header(type), 2);
    writer.u16(packet_id);
    commit(out, 2);
}

size_t encode_ack(OutBuffer& out, Version version, PacketType type, const Ack& packet,
                  size_t maximum) {
    Properties properties;
    if (!packet.reason_string.empty()) properties.reason_string = packet.reason_string;
    properties.user_properties = packet.user_properties;
    std::optional<PropertyBlock> block;
    if (version == Version::v5) block = fit_properties(properties, allowed_in::kAck, 3, maximum);
    if (block && !block->empty()) {
        const size_t remaining = length_with(*block, 3);
        Writer writer = start_packet(out, ack_header(type), remaining);
        writer.u16(packet.packet_id);
        writer.u8(static_cast<uint8_t>(packet.reason));
        write_properties(writer, *block);
        return commit(out, remaining);
    }
    const bool bare = version != Version::v5 || packet.reason == Reason::success;
    const size_t remaining = bare ? 2 : 3;
    if (packet_size(remaining) > maximum) return 0;
    Writer writer = start_packet(out, ack_header(type), remaining);
    writer.u16(packet.packet_id);
    if (!bare) writer.u8(static_cast<uint8_t>(packet.reason));
    return commit(out, remaining);
}

size_t encode_connack(OutBuffer& out, Version version, const Connack& packet, size_t maximum) {
    // A refusal has no session [MQTT-3.2.2-6], 3.1 does not know of the flag.
    const bool session_present =
        packet.session_present && packet.reason == Reason::success && version != Version::v31;
    if (version != Version::v5) {
        const auto code = connect_return_code(packet.reason);
        if (!code || packet_size(2) > maximum) return 0;
        Writer writer = start_packet(out, header_of(PacketType::connack), 2);
        writer.u8(session_present ? 1 : 0);
        writer.u8(*code);
        return commit(out, 2);
    }
    const auto block = fit_properties(packet.properties, allowed_in::kConnack, 2, maximum);
    if (!block) return 0;
    const size_t remaining = length_with(*block, 2);
    Writer writer = start_packet(out, header_of(PacketType::connack), remaining);
    writer.u8(session_present ? 1 : 0);
    writer.u8(static_cast<uint8_t>(packet.reason));
    write_properties(writer, *block);
    return commit(out, remaining);
}

size_t encode_suback(OutBuffer& out, Version version, const SubscriptionAck& packet,
                     size_t maximum) {
    if (version == Version::v5) {
        return encode_subscription_ack(out, PacketType::suback, packet, maximum);
    }
    const size_t remaining = 2 + packet.reasons.size();
    if (remaining > kLargestVariable || packet_size(remaining) > maximum) return 0;
    Writer writer = start_packet(out, header_of(PacketType::suback), remaining);
    writer.u16(packet.packet_id);
    for (const char c : packet.reasons) {
        const auto code = static_cast<uint8_t>(c);
        writer.u8(code < 0x80 ? code : 0x80);
    }
    return commit(out, remaining);
}

size_t encode_unsuback(OutBuffer& out, Version version, const SubscriptionAck& packet,
                       size_t maximum) {
    if (version == Version::v5) {
        return encode_subscription_ack(out, PacketType::unsuback, packet, maximum);
    }
    if (packet_size(2) > maximum) return 0;
    Writer writer = start_packet(out, header_of(PacketType::unsuback), 2);
    writer.u16(packet.packet_id);
    return commit(out, 2);
}

void encode_pingresp(OutBuffer& out) { put_empty(out, PacketType::pingresp); }
void encode_pingreq(OutBuffer& out) { put_empty(out, PacketType::pingreq); }

size_t encode_disconnect(OutBuffer& out, Version version, const Disconnect& packet, size_t maximum,
                         Sender sender) {
    if (version != Version::v5) {
        put_empty(out, PacketType::disconnect);
        return 2;
    }
    const PropertySet allowed = sender == Sender::server ? allowed_in::kDisconnectOfServer
                                                         : allowed_in::kDisconnectOfClient;
    const auto block = fit_properties(packet.properties, allowed, 1, maximum);
    if (block && !block->empty()) {
        return put_reason(out, PacketType::disconnect, packet.reason, *block);
    }
    // Without properties their length is left out, and the reason too if it is success.
    const bool bare = packet.reason == Reason::success;
    const bool must_have_more = !block && maximum >= packet_size(2);
    if (must_have_more || packet_size(bare ? 0 : 1) > maximum) return 0;
    Writer writer = start_packet(out, header_of(PacketType::disconnect), bare ? 0 : 1);
    if (!bare) writer.u8(static_cast<uint8_t>(packet.reason));
    return commit(out, bare ? 0 : 1);
}

size_t encode_auth(OutBuffer& out, const Auth& packet, size_t maximum) {
    const auto block = fit_properties(packet.properties, allowed_in::kAuth, 1, maximum);
    if (!block) return 0;
    if (!block->empty() || packet.reason != Reason::success) {
        return put_reason(out, PacketType::auth, packet.reason, *block);
    }
    put_empty(out, PacketType::auth);
    return 2;
}

}  // namespace trestle::mqtt
