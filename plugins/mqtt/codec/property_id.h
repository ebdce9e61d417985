// The property identifiers of MQTT 5.0 (table 2-4), the kind of value each has, and which packets
// may carry which. Constants only.
#pragma once

#include <cstdint>

namespace trestle::mqtt {

enum class PropertyId : uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0B,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1A,
    server_reference = 0x1C,
    reason_string = 0x1F,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2A,
};

/// A set of identifiers, one bit each.
using PropertySet = uint64_t;

template <typename... Ids>
constexpr PropertySet property_set(Ids... ids) {
    return ((PropertySet{1} << static_cast<unsigned>(ids)) | ... | PropertySet{0});
}

/// Whether `id`, any byte from the wire, is in the set.
constexpr bool contains(PropertySet set, uint8_t id) { return id < 64 && (set >> id & 1) != 0; }

namespace allowed_in {
using enum PropertyId;
constexpr PropertySet kAck = property_set(reason_string, user_property);
constexpr PropertySet kConnect =
    property_set(session_expiry_interval, receive_maximum, maximum_packet_size, topic_alias_maximum,
                 request_response_information, request_problem_information, user_property,
                 authentication_method, authentication_data);
constexpr PropertySet kConnack = property_set(
    session_expiry_interval, receive_maximum, maximum_qos, retain_available, maximum_packet_size,
    assigned_client_identifier, topic_alias_maximum, reason_string, user_property,
    wildcard_subscription_available, subscription_identifier_available,
    shared_subscription_available, server_keep_alive, response_information, server_reference,
    authentication_method, authentication_data);
constexpr PropertySet kSubscribe = property_set(subscription_identifier, user_property);
constexpr PropertySet kUnsubscribe = property_set(user_property);
/// A server never sends its client a session expiry [MQTT-3.14.2-2]; a client never names a server.
constexpr PropertySet kDisconnectOfClient =
    property_set(session_expiry_interval, reason_string, user_property);
constexpr PropertySet kDisconnectOfServer =
    property_set(server_reference, reason_string, user_property);
constexpr PropertySet kAuth =
    property_set(authentication_method, authentication_data, reason_string, user_property);
}  // namespace allowed_in

}  // namespace trestle::mqtt
