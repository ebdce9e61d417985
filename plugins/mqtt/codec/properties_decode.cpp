#include "mqtt/codec/properties_decode.h"

#include "core/utf8.h"
#include "mqtt/codec/faults.h"

namespace trestle::mqtt {
namespace {

/// Reads one property after the other into the fields of a Properties. A field that is filled
/// already is a repetition.
class BlockDecoder {
 public:
    BlockDecoder(std::string_view block, Properties& out) : in_(block), out_(out) {}

    Fault run(PropertySet allowed) {
        uint8_t id = 0;
        while (in_.u8(id)) {
            if (!contains(allowed, id)) return property_not_allowed();
            if (Fault fault = value(static_cast<PropertyId>(id))) return fault;
        }
        if (out_.authentication_data && !out_.authentication_method) {
            return protocol_error("authentication data comes without an authentication method");
        }
        return {};
    }

 private:
    Fault value(PropertyId id) {
        switch (id) {
            case PropertyId::session_expiry_interval:
                return u32(out_.session_expiry_interval);
            case PropertyId::maximum_packet_size:
                return not_zero(u32(out_.maximum_packet_size), out_.maximum_packet_size,
                                "the maximum packet size is 0");
            case PropertyId::subscription_identifier:
                return subscription_identifier();
            case PropertyId::receive_maximum:
                return not_zero(u16(out_.receive_maximum), out_.receive_maximum,
                                "the receive maximum is 0");
            case PropertyId::topic_alias_maximum:
                return u16(out_.topic_alias_maximum);
            case PropertyId::server_keep_alive:
                return u16(out_.server_keep_alive);
            case PropertyId::maximum_qos:
                return maximum_qos();
            case PropertyId::request_problem_information:
                return boolean(out_.request_problem_information);
            case PropertyId::request_response_information:
                return boolean(out_.request_response_information);
            case PropertyId::retain_available:
                return boolean(out_.retain_available);
            case PropertyId::wildcard_subscription_available:
                return boolean(out_.wildcard_subscription_available);
            case PropertyId::subscription_identifier_available:
                return boolean(out_.subscription_identifier_available);
            case PropertyId::shared_subscription_available:
                return boolean(out_.shared_subscription_available);
            case PropertyId::assigned_client_identifier:
                return string(out_.assigned_client_identifier);
            case PropertyId::authentication_method:
                return string(out_.authentication_method);
            case PropertyId::authentication_data:
                return binary(out_.authentication_data);
            case PropertyId::response_information:
                return string(out_.response_information);
            case PropertyId::server_reference:
                return string(out_.server_reference);
            case PropertyId::reason_string:
                return string(out_.reason_string);
            case PropertyId::user_property:
                return user_property();
            default:
                return property_not_allowed();
        }
    }

    Fault u32(std::optional<uint32_t>& out) {
        if (out) return property_repeated();
        return in_.u32(out.emplace()) ? Fault{} : property_truncated();
    }
    Fault u16(std::optional<uint16_t>& out) {
        if (out) return property_repeated();
        return in_.u16(out.emplace()) ? Fault{} : property_truncated();
    }
    Fault boolean(std::optional<bool>& out) {
        if (out) return property_repeated();
        uint8_t byte = 0;
        if (!in_.u8(byte)) return property_truncated();
        if (byte > 1) return protocol_error("a property that is 0 or 1 has another value");
        out = byte == 1;
        return {};
    }
    Fault binary(std::optional<std::string_view>& out) {
        if (out) return property_repeated();
        return in_.binary(out.emplace()) ? Fault{} : property_truncated();
    }
    Fault string(std::optional<std::string_view>& out) {
        if (Fault fault = binary(out)) return fault;
        return is_valid_mqtt_utf8(*out) ? Fault{} : bad_utf8();
    }
    Fault user_property() {
        std::string_view name;
        std::string_view text;
        if (!in_.binary(name) || !in_.binary(text)) return property_truncated();
        return is_valid_mqtt_utf8(name) && is_valid_mqtt_utf8(text) ? Fault{} : bad_utf8();
    }
    Fault maximum_qos() {
        if (out_.maximum_qos) return property_repeated();
        if (!in_.u8(out_.maximum_qos.emplace())) return property_truncated();
        return *out_.maximum_qos < 2 ? Fault{} : protocol_error("the maximum QoS is not 0 or 1");
    }
    Fault subscription_identifier() {
        auto& out = out_.subscription_identifier;
        if (out) return property_repeated();
        if (!in_.variable(out.emplace())) return property_truncated();
        return *out != 0 ? Fault{} : protocol_error("the subscription identifier is 0");
    }
    template <typename T>
    static Fault not_zero(Fault fault, const std::optional<T>& value, const char* sentence) {
        if (!fault && *value == 0) return protocol_error(sentence);
        return fault;
    }

    Reader in_;
    Properties& out_;
};

}  // namespace

Fault take_property_block(Reader& in, std::string_view& block) {
    uint32_t length = 0;
    if (!in.variable(length) || !in.bytes(length, block)) return bad_property_length();
    return {};
}

Fault decode_properties(Reader& in, PropertySet allowed, Properties& out) {
    std::string_view block;
    if (Fault fault = take_property_block(in, block)) return fault;
    out.user_properties = UserProperties(block);
    return BlockDecoder(block, out).run(allowed);
}

}  // namespace trestle::mqtt
