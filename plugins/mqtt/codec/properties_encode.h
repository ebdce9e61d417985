// Writes property blocks (MQTT 5.0 section 2.2.2). Inside the codec only.
#pragma once

#include <cstddef>
#include <optional>

#include "core/out_buffer.h"
#include "mqtt/codec/packet.h"
#include "mqtt/codec/property_id.h"
#include "mqtt/codec/writer.h"

namespace trestle::mqtt {

/// Those of a packet's properties that go out, and their size without the length in front.
struct PropertyBlock {
    const Properties* properties = nullptr;
    PropertySet set = 0;
    size_t size = 0;

    [[nodiscard]] bool empty() const { return size == 0; }
};

/// The remaining length of a packet with such a block and `others` bytes beside it.
[[nodiscard]] constexpr size_t length_with(const PropertyBlock& block, size_t others) {
    return others + variable_size(block.size) + block.size;
}

/// The size of a packet, from its remaining length.
[[nodiscard]] constexpr size_t packet_size(size_t remaining) {
    return 1 + variable_size(remaining) + remaining;
}

/// Chooses from `allowed` what lets the packet, with `others` bytes beside the block, stay within
/// `maximum`. None: it cannot.
[[nodiscard]] std::optional<PropertyBlock> fit_properties(const Properties& properties,
                                                          PropertySet allowed, size_t others,
                                                          size_t maximum);

/// Writes the length and the properties.
void write_properties(Writer& writer, const PropertyBlock& block);

/// Starts a packet in reserved room: the fixed header.
[[nodiscard]] inline Writer start_packet(OutBuffer& out, uint8_t header, size_t remaining) {
    Writer writer(out.reserve(packet_size(remaining)));
    writer.u8(header);
    writer.variable(remaining);
    return writer;
}

[[nodiscard]] constexpr uint8_t header_of(PacketType type, uint8_t flags = 0) {
    return static_cast<uint8_t>(static_cast<unsigned>(type) << 4 | flags);
}

}  // namespace trestle::mqtt
