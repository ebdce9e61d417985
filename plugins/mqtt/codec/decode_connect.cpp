// CONNECT (MQTT 5.0 section 3.1, 3.1.1 section 3.1).
#include "core/utf8.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/faults.h"
#include "mqtt/codec/properties_decode.h"

namespace trestle::mqtt {
namespace {

struct Flags {
    explicit Flags(uint8_t byte)
        : reserved((byte & 0x01U) != 0),
          clean_start((byte & 0x02U) != 0),
          will((byte & 0x04U) != 0),
          will_qos(byte >> 3 & 3U),
          will_retain((byte & 0x20U) != 0),
          password((byte & 0x40U) != 0),
          user_name((byte & 0x80U) != 0) {}

    bool reserved, clean_start, will;
    uint8_t will_qos;
    bool will_retain, password, user_name;
};

/// Whether what follows the level is laid out as 3.1.1 has it, without properties.
bool laid_out_as_311(Reader in) {
    uint8_t flag_byte = 0;
    uint16_t keep_alive = 0;
    std::string_view field;
    if (!in.u8(flag_byte) || !in.u16(keep_alive)) return false;
    const Flags flags(flag_byte);
    const int fields =
        1 + (flags.will ? 2 : 0) + (flags.user_name ? 1 : 0) + (flags.password ? 1 : 0);
    for (int i = 0; i < fields; ++i) {
        if (!in.binary(field)) return false;
    }
    return in.empty();
}

Fault decode_version(Reader& in, Version& version) {
    std::string_view name;
    uint8_t level = 0;
    version = Version::v311;
    if (!in.binary(name) || !in.u8(level)) return truncated();
    if (name == "MQTT" && (level == 4 || level == 5)) {
        version = static_cast<Version>(level);
        return {};
    }
    if (name == "MQIsdp" && level == 3) {
        version = Version::v31;
        return {};
    }
    if (level >= 5 && !laid_out_as_311(in)) version = Version::v5;
    if (name != "MQTT" && name != "MQIsdp" && version != Version::v5) {
        return malformed("the protocol name is not MQTT");
    }
    return {Reason::unsupported_protocol_version, "the protocol name or level is not supported"};
}

Fault check_flags(Version version, const Flags& flags) {
    if (flags.reserved && version != Version::v31) {  // [MQTT-3.1.2-3]
        return malformed("the reserved flag of CONNECT is set");
    }
    if (flags.will_qos == 3) return malformed("the will QoS is 3");  // [MQTT-3.1.2-12]
    if (!flags.will && (flags.will_qos != 0 || flags.will_retain)) {
        return malformed(
            "will QoS or will retain is set without a will");  // [MQTT-3.1.2-11], [-13]
    }
    if (flags.password && !flags.user_name && version != Version::v5) {
        return malformed("a password comes without a user name");  // 3.1.1 [MQTT-3.1.2-22]
    }
    return {};
}

Fault take_string(Reader& in, std::string_view& out) {
    if (!in.binary(out)) return truncated();
    return is_valid_mqtt_utf8(out) ? Fault{} : bad_utf8();
}

Fault decode_client_id(Reader& in, Connect& out) {
    if (Fault fault = take_string(in, out.client_id)) return fault;
    if (!out.client_id.empty() || out.version == Version::v5) return {};
    // 3.1.1 [MQTT-3.1.3-7] [MQTT-3.1.3-8]; 3.1 knows no empty identifiers at all.
    if (out.version == Version::v31 || !out.clean_start) {
        return {Reason::client_identifier_not_valid,
                "an empty client identifier needs a clean session"};
    }
    return {};
}

Fault decode_will(Reader& in, const Flags& flags, Version version, Will& out,
                  std::string& scratch) {
    out.qos = flags.will_qos;
    out.retain = flags.will_retain;
    if (version == Version::v5) {
        std::string_view block;
        if (Fault fault = take_property_block(in, block)) return fault;
        MessageProperties properties;
        if (Fault fault =
                decode_message_properties(block, MessageKind::will, scratch, nullptr, properties)) {
            return fault;
        }
        out.properties = properties.application;
        out.message_expiry = properties.message_expiry;
        out.delay = properties.will_delay.value_or(0);
    }
    if (Fault fault = take_string(in, out.topic)) return fault;
    if (!in.binary(out.payload)) return truncated();
    if (out.topic.empty() || out.topic.find_first_of("+#") != std::string_view::npos) {
        return {Reason::topic_name_invalid, "the will topic is empty or has wildcards"};
    }
    return {};
}

}  // namespace

Fault decode_connect(const Frame& frame, Connect& out, std::string& scratch) {
    out = {};
    Reader in(frame.body);
    if (Fault fault = decode_version(in, out.version)) return fault;
    uint8_t flag_byte = 0;
    if (!in.u8(flag_byte) || !in.u16(out.keep_alive)) return truncated();
    const Flags flags(flag_byte);
    if (Fault fault = check_flags(out.version, flags)) return fault;
    out.clean_start = flags.clean_start;
    if (out.version == Version::v5) {
        if (Fault fault = decode_properties(in, allowed_in::kConnect, out.properties)) return fault;
    }
    if (Fault fault = decode_client_id(in, out)) return fault;
    if (flags.will) {
        if (Fault fault = decode_will(in, flags, out.version, out.will.emplace(), scratch)) {
            return fault;
        }
    }
    if (flags.user_name) {
        if (Fault fault = take_string(in, out.user_name.emplace())) return fault;
    }
    if (flags.password && !in.binary(out.password.emplace())) return truncated();
    return in.empty() ? Fault{} : trailing_bytes();
}

}  // namespace trestle::mqtt
