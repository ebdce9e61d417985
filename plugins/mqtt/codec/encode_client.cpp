// What a client sends: CONNECT, SUBSCRIBE, UNSUBSCRIBE (MQTT 5.0 sections 3.1, 3.8, 3.10).
#include "mqtt/codec/encode.h"
#include "mqtt/codec/properties_encode.h"

namespace trestle::mqtt {
namespace {

size_t will_properties_size(const Will& will) {
    return will.properties.size() + (will.delay != 0 ? 5 : 0) + (will.message_expiry ? 5 : 0);
}

size_t will_size(const Will& will, Version version) {
    size_t size = 4 + will.topic.size() + will.payload.size();
    if (version == Version::v5) {
        size += variable_size(will_properties_size(will)) + will_properties_size(will);
    }
    return size;
}

void write_will(Writer& writer, const Will& will, Version version) {
    if (version == Version::v5) {
        writer.variable(will_properties_size(will));
        if (will.delay != 0) {
            writer.u8(static_cast<uint8_t>(PropertyId::will_delay_interval));
            writer.u32(will.delay);
        }
        if (will.message_expiry) {
            writer.u8(static_cast<uint8_t>(PropertyId::message_expiry_interval));
            writer.u32(*will.message_expiry);
        }
        writer.bytes(will.properties);
    }
    writer.binary(will.topic);
    writer.binary(will.payload);
}

uint8_t connect_flags(const Connect& packet) {
    unsigned flags = packet.clean_start ? 0x02U : 0U;
    if (packet.will) {
        flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3;
        if (packet.will->retain) flags |= 0x20U;
    }
    if (packet.password) flags |= 0x40U;
    if (packet.user_name) flags |= 0x80U;
    return static_cast<uint8_t>(flags);
}

bool strings_fit(const Connect& packet) {
    const auto fits = [](std::string_view text) { return text.size() <= kLongestString; };
    return fits(packet.client_id) && fits(packet.user_name.value_or("")) &&
           fits(packet.password.value_or("")) &&
           (!packet.will || (fits(packet.will->topic) && fits(packet.will->payload)));
}

/// SUBSCRIBE or UNSUBSCRIBE up to its filters, which take `filters` bytes. None: cannot be
/// expressed.
std::optional<Writer> start_filters(OutBuffer& out, Version version, PacketType type,
                                    uint16_t packet_id, size_t filters,
                                    const Properties& properties, PropertySet allowed,
                                    size_t& remaining) {
    PropertyBlock block;
    remaining = 2 + filters;
    if (version == Version::v5) {
        const auto fit = fit_properties(properties, allowed, remaining, kLargestPacket);
        if (!fit) return std::nullopt;
        block = *fit;
        remaining = length_with(block, remaining);
    }
    if (remaining > kLargestVariable) return std::nullopt;
    Writer writer = start_packet(out, header_of(type, 2), remaining);
    writer.u16(packet_id);
    if (version == Version::v5) write_properties(writer, block);
    return writer;
}

}  // namespace

size_t encode_connect(OutBuffer& out, const Connect& packet) {
    if (!strings_fit(packet)) return 0;
    const std::string_view name = packet.version == Version::v31 ? "MQIsdp" : "MQTT";
    size_t remaining = 2 + name.size() + 4 + 2 + packet.client_id.size();
    if (packet.will) remaining += will_size(*packet.will, packet.version);
    if (packet.user_name) remaining += 2 + packet.user_name->size();
    if (packet.password) remaining += 2 + packet.password->size();
    PropertyBlock block;
    if (packet.version == Version::v5) {
        const auto fit =
            fit_properties(packet.properties, allowed_in::kConnect, remaining, kLargestPacket);
        if (!fit) return 0;
        block = *fit;
        remaining = length_with(block, remaining);
    }
    if (remaining > kLargestVariable) return 0;
    Writer writer = start_packet(out, header_of(PacketType::connect), remaining);
    writer.binary(name);
    writer.u8(static_cast<uint8_t>(packet.version));
    writer.u8(connect_flags(packet));
    writer.u16(packet.keep_alive);
    if (packet.version == Version::v5) write_properties(writer, block);
    writer.binary(packet.client_id);
    if (packet.will) write_will(writer, *packet.will, packet.version);
    if (packet.user_name) writer.binary(*packet.user_name);
    if (packet.password) writer.binary(*packet.password);
    out.commit(packet_size(remaining));
    return packet_size(remaining);
}

size_t encode_subscribe(OutBuffer& out, Version version, uint16_t packet_id,
                        std::span<const Subscription> filters, const Properties& properties) {
    size_t size = 0;
    for (const auto& entry : filters) {
        if (entry.filter.size() > kLongestString) return 0;
        size += 3 + entry.filter.size();
    }
    size_t remaining = 0;
    auto writer = start_filters(out, version, PacketType::subscribe, packet_id, size, properties,
                                allowed_in::kSubscribe, remaining);
    if (!writer) return 0;
    for (const auto& entry : filters) {
        writer->binary(entry.filter);
        unsigned options = entry.qos;
        if (version == Version::v5) {
            options |= (entry.no_local ? 4U : 0U) | (entry.retain_as_published ? 8U : 0U) |
                       static_cast<unsigned>(entry.retain_handling) << 4;
        }
        writer->u8(static_cast<uint8_t>(options));
    }
    out.commit(packet_size(remaining));
    return packet_size(remaining);
}

size_t encode_unsubscribe(OutBuffer& out, Version version, uint16_t packet_id,
                          std::span<const std::string_view> filters, const Properties& properties) {
    size_t size = 0;
    for (const auto filter : filters) {
        if (filter.size() > kLongestString) return 0;
        size += 2 + filter.size();
    }
    size_t remaining = 0;
    auto writer = start_filters(out, version, PacketType::unsubscribe, packet_id, size, properties,
                                allowed_in::kUnsubscribe, remaining);
    if (!writer) return 0;
    for (const auto filter : filters) writer->binary(filter);
    out.commit(packet_size(remaining));
    return packet_size(remaining);
}

}  // namespace trestle::mqtt
