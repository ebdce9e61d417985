// Decodes any packet and encodes what came out: for round trips in tests and in the fuzzer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"

namespace trestle::mqtt::testing {

inline Fault recode_filters(Version version, const Frame& frame, OutBuffer& out) {
    if (frame.type() == PacketType::subscribe) {
        Subscribe packet;
        if (Fault fault = decode_subscribe(version, frame, packet)) return fault;
        std::vector<Subscription> filters;
        for (const auto& entry : packet.filters) filters.push_back(entry);
        encode_subscribe(out, version, packet.packet_id, filters, packet.properties);
        return {};
    }
    Unsubscribe packet;
    if (Fault fault = decode_unsubscribe(version, frame, packet)) return fault;
    std::vector<std::string_view> filters;
    for (const auto& entry : packet.filters) filters.push_back(entry.filter);
    encode_unsubscribe(out, version, packet.packet_id, filters, packet.properties);
    return {};
}

inline Fault recode_publish(Version version, Sender sender, const Frame& frame, OutBuffer& out) {
    Publish packet;
    std::string scratch;
    std::vector<uint32_t> ids;
    auto* const wanted = sender == Sender::server ? &ids : nullptr;
    if (Fault fault = decode_publish(version, frame, packet, scratch, wanted)) return fault;
    if (encode_publish(out, version, packet) != publish_size(version, packet)) __builtin_trap();
    return {};
}

inline Fault recode_subscription_ack(Version version, const Frame& frame, OutBuffer& out) {
    SubscriptionAck packet;
    if (Fault fault = decode_subscription_ack(version, frame, packet)) return fault;
    if (frame.type() == PacketType::suback) {
        encode_suback(out, version, packet);
    } else {
        encode_unsuback(out, version, packet);
    }
    return {};
}

inline Fault recode_rest(Version version, Sender sender, const Frame& frame, OutBuffer& out) {
    if (frame.type() == PacketType::connack) {
        Connack packet;
        if (Fault fault = decode_connack(version, frame, packet)) return fault;
        encode_connack(out, version, packet);
    } else if (frame.type() == PacketType::disconnect) {
        Disconnect packet;
        if (Fault fault = decode_disconnect(version, frame, packet, sender)) return fault;
        encode_disconnect(out, version, packet, kLargestPacket, sender);
    } else {
        Auth packet;
        if (Fault fault = decode_auth(frame, packet, sender)) return fault;
        encode_auth(out, packet);
    }
    return {};
}

/// Appends the packet of `frame`, decoded and encoded again, to `out`. The version is taken from
/// CONNECT.
inline Fault recode(Version version, Sender sender, const Frame& frame, OutBuffer& out) {
    switch (frame.type()) {
        case PacketType::connect: {
            Connect packet;
            std::string scratch;
            if (Fault fault = decode_connect(frame, packet, scratch)) return fault;
            encode_connect(out, packet);
            return {};
        }
        case PacketType::publish:
            return recode_publish(version, sender, frame, out);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp: {
            Ack packet;
            if (Fault fault = decode_ack(version, frame, packet)) return fault;
            encode_ack(out, version, frame.type(), packet);
            return {};
        }
        case PacketType::subscribe:
        case PacketType::unsubscribe:
            return recode_filters(version, frame, out);
        case PacketType::suback:
        case PacketType::unsuback:
            return recode_subscription_ack(version, frame, out);
        case PacketType::pingreq:
        case PacketType::pingresp:
            if (Fault fault = decode_ping(frame)) return fault;
            frame.type() == PacketType::pingreq ? encode_pingreq(out) : encode_pingresp(out);
            return {};
        default:
            return recode_rest(version, sender, frame, out);
    }
}

/// Reads one whole packet from `bytes` and recodes it. A packet that is not whole is a fault with
/// the reason `success`.
inline Fault recode(Version version, Sender sender, std::string_view bytes, OutBuffer& out) {
    Frame frame;
    Fault fault;
    switch (read_frame(bytes, kLargestPacket, version, frame, fault)) {
        case FrameStatus::need_more:
            return {Reason::success, "more bytes needed"};
        case FrameStatus::fault:
            return fault;
        case FrameStatus::ready:
            break;
    }
    if (frame.size != bytes.size()) return {Reason::success, "more than one packet"};
    return recode(version, sender, frame, out);
}

}  // namespace trestle::mqtt::testing
