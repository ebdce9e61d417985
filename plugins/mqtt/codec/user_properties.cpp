#include "mqtt/codec/user_properties.h"

#include "mqtt/codec/property_id.h"
#include "mqtt/codec/reader.h"

namespace trestle::mqtt {
namespace {

/// Skips the value of a property that is no user property.
bool skip_value(Reader& in, uint8_t id) {
    std::string_view skipped;
    uint32_t number = 0;
    switch (static_cast<PropertyId>(id)) {
        case PropertyId::payload_format_indicator:
        case PropertyId::request_problem_information:
        case PropertyId::request_response_information:
        case PropertyId::maximum_qos:
        case PropertyId::retain_available:
        case PropertyId::wildcard_subscription_available:
        case PropertyId::subscription_identifier_available:
        case PropertyId::shared_subscription_available:
            return in.bytes(1, skipped);
        case PropertyId::server_keep_alive:
        case PropertyId::receive_maximum:
        case PropertyId::topic_alias_maximum:
        case PropertyId::topic_alias:
            return in.bytes(2, skipped);
        case PropertyId::message_expiry_interval:
        case PropertyId::session_expiry_interval:
        case PropertyId::will_delay_interval:
        case PropertyId::maximum_packet_size:
            return in.bytes(4, skipped);
        case PropertyId::subscription_identifier:
            return in.variable(number);
        case PropertyId::content_type:
        case PropertyId::response_topic:
        case PropertyId::correlation_data:
        case PropertyId::assigned_client_identifier:
        case PropertyId::authentication_method:
        case PropertyId::authentication_data:
        case PropertyId::response_information:
        case PropertyId::server_reference:
        case PropertyId::reason_string:
            return in.binary(skipped);
        case PropertyId::user_property:
            break;
    }
    return false;
}

}  // namespace

UserProperties::Iterator& UserProperties::Iterator::operator++() {
    Reader in(rest_);
    at_end_ = true;
    uint8_t id = 0;
    while (in.u8(id)) {
        if (id == static_cast<uint8_t>(PropertyId::user_property)) {
            if (!in.binary(current_.name) || !in.binary(current_.value)) break;
            at_end_ = false;
            break;
        }
        if (!skip_value(in, id)) break;
    }
    rest_ = in.rest();
    return *this;
}

size_t UserProperties::encoded_size() const {
    size_t size = 0;
    for (const auto& property : *this) size += 5 + property.name.size() + property.value.size();
    return size;
}

}  // namespace trestle::mqtt
