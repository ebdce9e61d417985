// PUBLISH (MQTT 5.0 section 3.3, 3.1.1 section 3.3): the hot one. Sizes once, room once, bytes
// once.
#include "mqtt/codec/encode.h"
#include "mqtt/codec/property_id.h"
#include "mqtt/codec/writer.h"

namespace trestle::mqtt {
namespace {

struct Sizes {
    size_t properties = 0;
    size_t remaining = 0;
    size_t packet = 0;  // 0: cannot be expressed
};

Sizes sizes_of(Version version, const Publish& packet) noexcept {
    Sizes sizes;
    sizes.remaining = 2 + packet.topic.size() + (packet.qos != 0 ? 2 : 0) + packet.payload.size();
    if (version == Version::v5) {
        sizes.properties = packet.properties.size();
        if (packet.message_expiry) sizes.properties += 5;
        if (packet.topic_alias != 0) sizes.properties += 3;
        for (const uint32_t id : packet.subscription_ids) sizes.properties += 1 + variable_size(id);
        sizes.remaining += variable_size(sizes.properties) + sizes.properties;
    }
    if (packet.topic.size() > kLongestString || sizes.remaining > kLargestVariable) return sizes;
    sizes.packet = 1 + variable_size(sizes.remaining) + sizes.remaining;
    return sizes;
}

void write_properties(Writer& writer, const Publish& packet, size_t size) {
    writer.variable(size);
    if (packet.message_expiry) {
        writer.u8(static_cast<uint8_t>(PropertyId::message_expiry_interval));
        writer.u32(*packet.message_expiry);
    }
    if (packet.topic_alias != 0) {
        writer.u8(static_cast<uint8_t>(PropertyId::topic_alias));
        writer.u16(packet.topic_alias);
    }
    for (const uint32_t id : packet.subscription_ids) {
        writer.u8(static_cast<uint8_t>(PropertyId::subscription_identifier));
        writer.variable(id);
    }
    writer.bytes(packet.properties);
}

}  // namespace

size_t publish_size(Version version, const Publish& packet) noexcept {
    return sizes_of(version, packet).packet;
}

size_t encode_publish(OutBuffer& out, Version version, const Publish& packet, size_t maximum) {
    const Sizes sizes = sizes_of(version, packet);
    if (sizes.packet == 0 || sizes.packet > maximum) return 0;
    Writer writer(out.reserve(sizes.packet));
    const unsigned flags =
        (packet.dup ? 8U : 0U) | static_cast<unsigned>(packet.qos) << 1 | (packet.retain ? 1U : 0U);
    writer.u8(static_cast<uint8_t>(static_cast<unsigned>(PacketType::publish) << 4 | flags));
    writer.variable(sizes.remaining);
    writer.binary(packet.topic);
    if (packet.qos != 0) writer.u16(packet.packet_id);
    if (version == Version::v5) write_properties(writer, packet, sizes.properties);
    writer.bytes(packet.payload);
    out.commit(sizes.packet);
    return sizes.packet;
}

void put_packet_id(char* publish, std::string_view topic, uint16_t packet_id) noexcept {
    char* at = publish + 1;
    while ((static_cast<unsigned char>(*at) & 0x80U) != 0) ++at;  // the remaining length
    at += 1 + 2 + topic.size();
    at[0] = static_cast<char>(packet_id >> 8);
    at[1] = static_cast<char>(packet_id);
}

}  // namespace trestle::mqtt
