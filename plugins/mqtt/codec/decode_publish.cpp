// PUBLISH (MQTT 5.0 section 3.3, 3.1.1 section 3.3): the one packet that comes millions of times.
#include "core/utf8.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/faults.h"
#include "mqtt/codec/properties_decode.h"

namespace trestle::mqtt {
namespace {

/// Eight bytes of ASCII without U+0000 and wildcards. (When a byte is not ASCII, the answer is
/// false whatever the other two terms say.)
bool plain_topic_bytes(uint64_t word) {
    return (eight_bytes::not_ascii_or_zero(word) | eight_bytes::find(word, '+') |
            eight_bytes::find(word, '#')) == 0;
}

Fault check_topic_slowly(std::string_view topic) {
    if (!is_valid_mqtt_utf8(topic)) return bad_utf8();
    if (topic.find_first_of("+#") == std::string_view::npos) return {};
    return {Reason::topic_name_invalid, "the topic name has wildcards"};  // [MQTT-3.3.2-2]
}

/// UTF-8 and wildcards in one pass [MQTT-3.3.2-1] [MQTT-3.3.2-2].
Fault check_topic(std::string_view topic) {
    const char* at = topic.data();
    size_t left = topic.size();
    if (left < 8) return check_topic_slowly(topic);
    for (; left >= 8; at += 8, left -= 8) {
        if (!plain_topic_bytes(eight_bytes::load(at))) return check_topic_slowly(topic);
    }
    if (left == 0 || plain_topic_bytes(eight_bytes::load(at + left - 8))) return {};
    return check_topic_slowly(topic);
}

Fault check_flags(const Publish& packet) {
    if (packet.qos == 3) return malformed("the QoS is 3");                       // [MQTT-3.3.1-4]
    if (packet.dup && packet.qos == 0) return malformed("DUP is set at QoS 0");  // [MQTT-3.3.1-2]
    return {};
}

Fault take_properties(Reader& in, Publish& out, std::string& scratch,
                      std::vector<uint32_t>* subscription_ids) {
    std::string_view block;
    if (Fault fault = take_property_block(in, block)) return fault;
    if (block.empty()) return {};
    MessageProperties properties;
    if (Fault fault = decode_message_properties(block, MessageKind::publish, scratch,
                                                subscription_ids, properties)) {
        return fault;
    }
    out.properties = properties.application;
    out.message_expiry = properties.message_expiry;
    out.topic_alias = properties.topic_alias;
    if (subscription_ids != nullptr) out.subscription_ids = *subscription_ids;
    return {};
}

}  // namespace

Fault decode_publish(Version version, const Frame& frame, Publish& out, std::string& scratch,
                     std::vector<uint32_t>* subscription_ids) {
    out = {};
    if (subscription_ids != nullptr) subscription_ids->clear();
    out.retain = (frame.header & 0x01U) != 0;
    out.qos = frame.header >> 1 & 3U;
    out.dup = (frame.header & 0x08U) != 0;
    if (Fault fault = check_flags(out)) return fault;

    Reader in(frame.body);
    if (!in.binary(out.topic)) return truncated();
    if (Fault fault = check_topic(out.topic)) return fault;
    if (out.qos != 0) {
        if (!in.u16(out.packet_id)) return truncated();
        if (out.packet_id == 0) return zero_packet_id();
    }
    if (version == Version::v5) {
        if (Fault fault = take_properties(in, out, scratch, subscription_ids)) return fault;
    }
    if (out.topic.empty() && out.topic_alias == 0) {
        if (version == Version::v5)
            return protocol_error("there is no topic name and no topic alias");
        return {Reason::topic_name_invalid, "the topic name is empty"};  // [MQTT-4.7.3-1]
    }
    out.payload = in.rest();
    return {};
}

}  // namespace trestle::mqtt
