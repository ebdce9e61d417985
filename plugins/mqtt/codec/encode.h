// Packets into bytes (MQTT 5.0 chapter 3, 3.1.1 chapter 3): one function per packet type.
//
// Each appends one packet to `out`, so that many leave in one write, and answers its size. The
// answer is 0, and nothing is appended, when the packet would be larger than `maximum` (the
// receiver's Maximum Packet Size [MQTT-3.1.2-24]) or cannot be expressed (a string above 65,535
// bytes). To fit, user properties and then the reason string are left out first, where the
// specification asks for it
// ([MQTT-3.2.2-19], [-20] and their like). Whether they may be sent at all (Request Problem
// Information) is the caller's to know. Throws std::bad_alloc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/out_buffer.h"
#include "mqtt/codec/packet.h"

namespace trestle::mqtt {

/// The bytes that this PUBLISH takes, 0 if it cannot be expressed.
[[nodiscard]] size_t publish_size(Version version, const Publish& packet) noexcept;

[[nodiscard]] size_t encode_publish(OutBuffer& out, Version version, const Publish& packet,
                                    size_t maximum = kLargestPacket);

/// Another packet id in an encoded PUBLISH of QoS 1 or 2 that has this topic.
void put_packet_id(char* publish, std::string_view topic, uint16_t packet_id) noexcept;

/// The shortest form of PUBACK, PUBREC, PUBREL or PUBCOMP: success. The same in all versions.
void encode_ack(OutBuffer& out, PacketType type, uint16_t packet_id);
/// The reason and what belongs to it go out in 5.0 only.
size_t encode_ack(OutBuffer& out, Version version, PacketType type, const Ack& packet,
                  size_t maximum = kLargestPacket);

/// Also 0 when 3.1.1 has no return code for the reason: then the connection is closed without
/// CONNACK.
size_t encode_connack(OutBuffer& out, Version version, const Connack& packet,
                      size_t maximum = kLargestPacket);

size_t encode_suback(OutBuffer& out, Version version, const SubscriptionAck& packet,
                     size_t maximum = kLargestPacket);
/// In 3.1.1 the reasons are left out.
size_t encode_unsuback(OutBuffer& out, Version version, const SubscriptionAck& packet,
                       size_t maximum = kLargestPacket);

void encode_pingresp(OutBuffer& out);

/// A server sends it in 5.0 only; in 3.1.1 it is a client's and has no reason.
size_t encode_disconnect(OutBuffer& out, Version version, const Disconnect& packet,
                         size_t maximum = kLargestPacket, Sender sender = Sender::server);

size_t encode_auth(OutBuffer& out, const Auth& packet, size_t maximum = kLargestPacket);

// What only a client sends.
size_t encode_connect(OutBuffer& out, const Connect& packet);
size_t encode_subscribe(OutBuffer& out, Version version, uint16_t packet_id,
                        std::span<const Subscription> filters, const Properties& properties = {});
size_t encode_unsubscribe(OutBuffer& out, Version version, uint16_t packet_id,
                          std::span<const std::string_view> filters,
                          const Properties& properties = {});
void encode_pingreq(OutBuffer& out);

}  // namespace trestle::mqtt
