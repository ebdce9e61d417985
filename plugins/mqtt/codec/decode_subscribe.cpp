// SUBSCRIBE, UNSUBSCRIBE and their answers (MQTT 5.0 sections 3.8 to 3.11, 3.1.1 the same).
#include "core/utf8.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/faults.h"
#include "mqtt/codec/properties_decode.h"

namespace trestle::mqtt {
namespace {

Fault check_options(Version version, uint8_t options, std::string_view filter) {
    if (version != Version::v5) {
        if (options > 2) return malformed("the requested QoS is not 0, 1 or 2");  // [MQTT-3.8.3-4]
        return {};
    }
    if ((options & 0xC0U) != 0) {  // [MQTT-3.8.3-5]
        return malformed("reserved bits of the subscription options are set");
    }
    if ((options & 0x03U) == 3) return protocol_error("the maximum QoS of a subscription is 3");
    if ((options & 0x30U) == 0x30) return protocol_error("the retain handling is 3");
    if ((options & 0x04U) != 0 && is_shared(filter)) {  // [MQTT-3.8.3-4]
        return protocol_error("no local is set on a shared subscription");
    }
    return {};
}

/// Walks over all filters once, so that they can be read later without looking again.
Fault take_filters(Reader& in, Version version, bool with_options, FilterList& out) {
    const std::string_view all = in.rest();
    size_t count = 0;
    for (; !in.empty(); ++count) {
        std::string_view filter;
        if (!in.binary(filter)) return truncated();
        if (!is_valid_mqtt_utf8(filter)) return bad_utf8();
        if (!with_options) continue;
        uint8_t options = 0;
        if (!in.u8(options)) return truncated();
        if (Fault fault = check_options(version, options, filter)) return fault;
    }
    if (count == 0)
        return protocol_error("there is no topic filter");  // [MQTT-3.8.3-2], [-3.10.3-2]
    out = FilterList(all, count, with_options);
    return {};
}

/// What SUBSCRIBE and UNSUBSCRIBE have in common, which is all but the options.
template <typename Packet>
Fault decode_filters(Version version, const Frame& frame, PropertySet allowed, bool with_options,
                     Packet& out) {
    out = {};
    Reader in(frame.body);
    if (!in.u16(out.packet_id)) return truncated();
    if (out.packet_id == 0) return zero_packet_id();
    if (version == Version::v5) {
        if (Fault fault = decode_properties(in, allowed, out.properties)) return fault;
    }
    return take_filters(in, version, with_options, out.filters);
}

bool granted_or_failed(uint8_t code) { return code <= 2 || code == 0x80; }

}  // namespace

Fault decode_subscribe(Version version, const Frame& frame, Subscribe& out) {
    return decode_filters(version, frame, allowed_in::kSubscribe, true, out);
}

Fault decode_unsubscribe(Version version, const Frame& frame, Unsubscribe& out) {
    return decode_filters(version, frame, allowed_in::kUnsubscribe, false, out);
}

Fault decode_subscription_ack(Version version, const Frame& frame, SubscriptionAck& out) {
    out = {};
    Reader in(frame.body);
    if (!in.u16(out.packet_id)) return truncated();
    if (out.packet_id == 0) return zero_packet_id();
    if (version != Version::v5 && frame.type() == PacketType::unsuback) {
        return in.empty() ? Fault{} : trailing_bytes();
    }
    if (version == Version::v5) {
        if (Fault fault = decode_properties(in, allowed_in::kAck, out.properties)) return fault;
    }
    if (in.empty()) return protocol_error("there is no reason code");
    out.reasons = in.rest();
    for (const char c : out.reasons) {
        const auto code = static_cast<uint8_t>(c);
        const bool good = version == Version::v5
                              ? reason_allowed(frame.type(), static_cast<Reason>(code))
                              : granted_or_failed(code);
        if (!good) return bad_reason_code();
    }
    return {};
}

}  // namespace trestle::mqtt
