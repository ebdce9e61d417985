#include "zmq/meta.h"

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/properties.h"

namespace trestle::zmq {

namespace {

using Json = nlohmann::ordered_json;  // for writing: few keys, in the order of the header
using ParsedJson = nlohmann::json;    // for reading: many keys cost no more than few

bool take_integer(const ParsedJson& value, uint64_t most, uint64_t& out) {
    if (!value.is_number_unsigned()) return false;
    out = value.get<uint64_t>();
    return out <= most;
}

bool take_user_properties(const ParsedJson& list, ApplicationPropertiesWriter& writer) {
    if (!list.is_array()) return false;
    for (const auto& pair : list) {
        if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
            return false;
        }
        if (!writer.user_property(pair[0].get_ref<const std::string&>(),
                                  pair[1].get_ref<const std::string&>())) {
            return false;
        }
    }
    return true;
}

bool take_text(const std::string& key, const std::string& text,
               ApplicationPropertiesWriter& writer) {
    if (key == "content_type") return writer.content_type(text);
    if (key == "response_topic") return writer.response_topic(text);
    const auto bytes = decode_base64(text);
    return bytes && writer.correlation_data(*bytes);
}

bool take(const std::string& key, const ParsedJson& value, ApplicationPropertiesWriter& writer,
          IncomingMeta& meta) {
    uint64_t number = 0;
    if (key == "qos") {
        if (!take_integer(value, 2, number)) return false;
        meta.qos = static_cast<Qos>(number);
    } else if (key == "retain") {
        if (!value.is_boolean()) return false;
        meta.retain = value.get<bool>();
    } else if (key == "expiry_s") {
        if (!take_integer(value, UINT32_MAX, number)) return false;
        meta.expiry_s = static_cast<uint32_t>(number);
    } else if (key == "timeout_ms") {
        if (!take_integer(value, 86'400'000, number)) return false;
        meta.timeout_ms = static_cast<uint32_t>(number);
    } else if (key == "payload_format") {
        return take_integer(value, 1, number) &&
               writer.payload_format(static_cast<uint8_t>(number));
    } else if (key == "content_type" || key == "response_topic" || key == "correlation_data") {
        return value.is_string() && take_text(key, value.get_ref<const std::string&>(), writer);
    } else if (key == "properties") {
        return take_user_properties(value, writer);
    }
    return true;
}

void put_properties(const ApplicationProperties& properties, Json& json) {
    for (const auto& property : properties) {
        switch (property.id) {
            case ApplicationPropertyId::payload_format:
                if (!property.value.empty()) json["payload_format"] = int{property.value[0]};
                break;
            case ApplicationPropertyId::content_type:
                json["content_type"] = property.value;
                break;
            case ApplicationPropertyId::response_topic:
                json["response_topic"] = property.value;
                break;
            case ApplicationPropertyId::correlation_data:
                json["correlation_data"] = encode_base64(property.value);
                break;
            case ApplicationPropertyId::user_property:
                json["properties"].push_back(Json::array({property.name, property.value}));
                break;
        }
    }
}

}  // namespace

std::string write_meta(const OutgoingMeta& meta) {
    const MessageView& message = meta.message;
    Json json;
    if (!meta.id.empty()) json["id"] = meta.id;
    if (meta.attempt != 0) json["attempt"] = meta.attempt;
    json["topic"] = message.topic;
    json["qos"] = static_cast<int>(meta.qos);
    json["retain"] = message.retain;
    if (!meta.client.empty()) json["client"] = meta.client;
    if (!meta.user.empty()) json["user"] = meta.user;
    if (meta.taken_ms != 0) json["time"] = meta.taken_ms;
    if (meta.is_snapshot) json["snapshot"] = true;
    if (message.expires_at_ms != kNeverExpires) {
        const uint64_t left =
            message.expires_at_ms > meta.now_ms ? message.expires_at_ms - meta.now_ms : 0;
        json["expiry_s"] = (left + 999) / 1000;
    }
    put_properties(ApplicationProperties(message.properties), json);
    // Everything was checked as UTF-8 when it came in; replacing is for what no check has seen.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<IncomingMeta> read_meta(std::string_view json) {
    if (json.size() > kLargestMeta) return {};
    const ParsedJson parsed = ParsedJson::parse(json.begin(), json.end(), nullptr, false);
    if (!parsed.is_object()) return {};
    IncomingMeta meta;
    ApplicationPropertiesWriter writer(meta.properties);
    for (const auto& [key, value] : parsed.items()) {
        if (!take(key, value, writer, meta)) return {};
    }
    return meta;
}

}  // namespace trestle::zmq
