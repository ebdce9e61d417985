// The control packets as structs (MQTT 5.0 chapter 3, 3.1.1 chapter 3).
//
// What has bytes is a view: of the buffer a packet was decoded from, or of whatever the sender
// holds. The struct owns nothing, and is good as long as those bytes are. Everything that only 5.0
// has is simply absent in 3.1.1: ignored when encoding, left at its default when decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "mqtt/codec/filters.h"
#include "mqtt/codec/packet_type.h"
#include "mqtt/codec/reason.h"
#include "mqtt/codec/user_properties.h"

namespace trestle::mqtt {

/// The largest packet the format allows: one byte of type, four of length, 268,435,455 of body.
constexpr size_t kLargestPacket = 268'435'460;

/// Which side a packet came from, where the rules differ.
enum class Sender : uint8_t { client, server };

/// What is wrong with a packet: a reason code and an English sentence for logs and reason strings.
struct Fault {
    Reason reason = Reason::success;
    const char* sentence = nullptr;
    explicit operator bool() const { return sentence != nullptr; }
};

/// The properties of all packets but PUBLISH, will and acks (which are smaller, see below). Each
/// packet has its own few: decoding refuses, and encoding leaves out, what the packet may not
/// carry.
struct Properties {
    std::optional<uint32_t> session_expiry_interval;
    std::optional<uint32_t> maximum_packet_size;
    std::optional<uint32_t> subscription_identifier;
    std::optional<uint16_t> receive_maximum;
    std::optional<uint16_t> topic_alias_maximum;
    std::optional<uint16_t> server_keep_alive;
    std::optional<uint8_t> maximum_qos;
    std::optional<bool> request_problem_information;
    std::optional<bool> request_response_information;
    std::optional<bool> retain_available;
    std::optional<bool> wildcard_subscription_available;
    std::optional<bool> subscription_identifier_available;
    std::optional<bool> shared_subscription_available;
    std::optional<std::string_view> assigned_client_identifier;
    std::optional<std::string_view> authentication_method;
    std::optional<std::string_view> authentication_data;
    std::optional<std::string_view> response_information;
    std::optional<std::string_view> server_reference;
    std::optional<std::string_view> reason_string;
    UserProperties user_properties;
};

/// A will: the message a server publishes when the client is gone (section 3.1.2.5).
struct Will {
    std::string_view topic;
    std::string_view payload;
    std::string_view properties;  // the application's own, see core/properties.h
    std::optional<uint32_t> message_expiry;
    uint32_t delay = 0;  // seconds
    uint8_t qos = 0;
    bool retain = false;
};

struct Connect {
    Version version = Version::v311;
    bool clean_start = false;  // Clean Session in 3.1.1
    uint16_t keep_alive = 0;
    std::string_view client_id;
    std::optional<Will> will;
    std::optional<std::string_view> user_name;
    std::optional<std::string_view> password;
    Properties properties;
};

struct Connack {
    bool session_present = false;
    Reason reason = Reason::success;
    Properties properties;
};

struct Publish {
    std::string_view topic;  // empty in 5.0 if topic_alias stands for it
    std::string_view payload;
    std::string_view properties;  // the application's own, see core/properties.h
    /// From a server only: those of the subscriptions that matched.
    std::span<const uint32_t> subscription_ids;
    std::optional<uint32_t> message_expiry;  // seconds
    uint16_t packet_id = 0;                  // 0 at QoS 0
    uint16_t topic_alias = 0;                // 0: none
    uint8_t qos = 0;
    bool retain = false;
    bool dup = false;
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct Ack {
    uint16_t packet_id = 0;
    Reason reason = Reason::success;
    std::string_view reason_string;  // empty: none
    UserProperties user_properties;
};

/// SUBSCRIBE as decoded: the filters are read from the packet as they are asked for.
struct Subscribe {
    uint16_t packet_id = 0;
    FilterList filters;
    Properties properties;
};

/// UNSUBSCRIBE as decoded.
struct Unsubscribe {
    uint16_t packet_id = 0;
    FilterList filters;
    Properties properties;
};

/// SUBACK and UNSUBACK: one reason per filter, in order, each one byte of `reasons`. In 3.1.1 every
/// error is 0x80, and UNSUBACK has none.
struct SubscriptionAck {
    uint16_t packet_id = 0;
    std::string_view reasons;
    Properties properties;
};

struct Disconnect {
    Reason reason = Reason::success;
    Properties properties;
};

struct Auth {
    Reason reason = Reason::success;
    Properties properties;
};

}  // namespace trestle::mqtt
