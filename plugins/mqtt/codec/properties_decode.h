// Reads property blocks (MQTT 5.0 section 2.2.2). Inside the codec only: decode.h is the way in.
// Everything found is a view of the packet, but for what is gathered in the caller's scratch
// string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/codec/packet.h"
#include "mqtt/codec/property_id.h"
#include "mqtt/codec/reader.h"

namespace trestle::mqtt {

/// Takes the length and the block that it announces from the packet.
[[nodiscard]] Fault take_property_block(Reader& in, std::string_view& block);

/// Takes the properties of any packet but PUBLISH. Authentication data without a method is refused.
[[nodiscard]] Fault decode_properties(Reader& in, PropertySet allowed, Properties& out);

/// What the properties of a PUBLISH or of a will say.
struct MessageProperties {
    std::string_view
        application;  // borrowed if they lie together in the block, else in the scratch
    std::optional<uint32_t> message_expiry;
    std::optional<uint32_t> will_delay;
    uint16_t topic_alias = 0;
};

enum class MessageKind : uint8_t { publish, will };

/// Checks a block. Subscription identifiers are appended to `subscription_ids`; without it (the
/// packet comes from a client) they are a protocol error [MQTT-3.3.4-6].
[[nodiscard]] Fault decode_message_properties(std::string_view block, MessageKind kind,
                                              std::string& scratch,
                                              std::vector<uint32_t>* subscription_ids,
                                              MessageProperties& out);

}  // namespace trestle::mqtt
