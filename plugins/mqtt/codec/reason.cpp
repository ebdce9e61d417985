#include "mqtt/codec/reason.h"

#include <algorithm>
#include <iterator>

namespace trestle::mqtt {
namespace {

template <size_t N>
bool among(const uint8_t (&codes)[N], Reason reason) noexcept {
    return std::find(std::begin(codes), std::end(codes), static_cast<uint8_t>(reason)) !=
           std::end(codes);
}

constexpr uint8_t kConnack[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                                0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
constexpr uint8_t kPuback[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
constexpr uint8_t kPubrel[] = {0x00, 0x92};
constexpr uint8_t kSuback[] = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                               0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
constexpr uint8_t kUnsuback[] = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
constexpr uint8_t kDisconnect[] = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D,
                                   0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
                                   0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
constexpr uint8_t kAuth[] = {0x00, 0x18, 0x19};

}  // namespace

const char* reason_name(Reason reason) noexcept {
    switch (reason) {
        case Reason::success:
            return "success";
        case Reason::granted_qos_1:
            return "granted QoS 1";
        case Reason::granted_qos_2:
            return "granted QoS 2";
        case Reason::disconnect_with_will:
            return "disconnect with will message";
        case Reason::no_matching_subscribers:
            return "no matching subscribers";
        case Reason::no_subscription_existed:
            return "no subscription existed";
        case Reason::continue_authentication:
            return "continue authentication";
        case Reason::reauthenticate:
            return "re-authenticate";
        case Reason::unspecified_error:
            return "unspecified error";
        case Reason::malformed_packet:
            return "malformed packet";
        case Reason::protocol_error:
            return "protocol error";
        case Reason::implementation_specific_error:
            return "implementation specific error";
        case Reason::unsupported_protocol_version:
            return "unsupported protocol version";
        case Reason::client_identifier_not_valid:
            return "client identifier not valid";
        case Reason::bad_user_name_or_password:
            return "bad user name or password";
        case Reason::not_authorized:
            return "not authorized";
        case Reason::server_unavailable:
            return "server unavailable";
        case Reason::server_busy:
            return "server busy";
        case Reason::banned:
            return "banned";
        case Reason::server_shutting_down:
            return "server shutting down";
        case Reason::bad_authentication_method:
            return "bad authentication method";
        case Reason::keep_alive_timeout:
            return "keep alive timeout";
        case Reason::session_taken_over:
            return "session taken over";
        case Reason::topic_filter_invalid:
            return "topic filter invalid";
        case Reason::topic_name_invalid:
            return "topic name invalid";
        case Reason::packet_identifier_in_use:
            return "packet identifier in use";
        case Reason::packet_identifier_not_found:
            return "packet identifier not found";
        case Reason::receive_maximum_exceeded:
            return "receive maximum exceeded";
        case Reason::topic_alias_invalid:
            return "topic alias invalid";
        case Reason::packet_too_large:
            return "packet too large";
        case Reason::message_rate_too_high:
            return "message rate too high";
        case Reason::quota_exceeded:
            return "quota exceeded";
        case Reason::administrative_action:
            return "administrative action";
        case Reason::payload_format_invalid:
            return "payload format invalid";
        case Reason::retain_not_supported:
            return "retain not supported";
        case Reason::qos_not_supported:
            return "QoS not supported";
        case Reason::use_another_server:
            return "use another server";
        case Reason::server_moved:
            return "server moved";
        case Reason::shared_subscriptions_not_supported:
            return "shared subscriptions not supported";
        case Reason::connection_rate_exceeded:
            return "connection rate exceeded";
        case Reason::maximum_connect_time:
            return "maximum connect time";
        case Reason::subscription_identifiers_not_supported:
            return "subscription identifiers not supported";
        case Reason::wildcard_subscriptions_not_supported:
            return "wildcard subscriptions not supported";
    }
    return "unknown reason code";
}

bool reason_allowed(PacketType type, Reason reason) noexcept {
    switch (type) {
        case PacketType::connack:
            return among(kConnack, reason);
        case PacketType::puback:
        case PacketType::pubrec:
            return among(kPuback, reason);
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return among(kPubrel, reason);
        case PacketType::suback:
            return among(kSuback, reason);
        case PacketType::unsuback:
            return among(kUnsuback, reason);
        case PacketType::disconnect:
            return among(kDisconnect, reason);
        case PacketType::auth:
            return among(kAuth, reason);
        default:
            return false;
    }
}

std::optional<uint8_t> connect_return_code(Reason reason) noexcept {
    switch (reason) {
        case Reason::success:
            return 0;
        case Reason::unsupported_protocol_version:
            return 1;
        case Reason::client_identifier_not_valid:
            return 2;
        case Reason::server_unavailable:
        case Reason::server_busy:
        case Reason::server_shutting_down:
        case Reason::quota_exceeded:
        case Reason::use_another_server:
        case Reason::server_moved:
        case Reason::connection_rate_exceeded:
            return 3;
        case Reason::bad_user_name_or_password:
            return 4;
        case Reason::not_authorized:
        case Reason::banned:
        case Reason::bad_authentication_method:
            return 5;
        default:
            return std::nullopt;
    }
}

Reason reason_of_return_code(uint8_t code) noexcept {
    switch (code) {
        case 0:
            return Reason::success;
        case 1:
            return Reason::unsupported_protocol_version;
        case 2:
            return Reason::client_identifier_not_valid;
        case 3:
            return Reason::server_unavailable;
        case 4:
            return Reason::bad_user_name_or_password;
        case 5:
            return Reason::not_authorized;
        default:
            return Reason::unspecified_error;
    }
}

}  // namespace trestle::mqtt
