#include "server/api/message_json.h"

#include "core/base64.h"
#include "core/properties.h"
#include "core/utf8.h"
#include "server/json_reader.h"

namespace trestle {

using nlohmann::ordered_json;

std::string_view payload_shown(std::string_view payload) {
    if (payload.size() <= kMostPayloadShown) return payload;
    std::string_view shown = payload.substr(0, kMostPayloadShown);
    // A character that was cut in two would make text look like bytes.
    for (size_t back = 0; back < 4; ++back) {
        const std::string_view shorter = shown.substr(0, shown.size() - back);
        if (is_plain_utf8(shorter)) return shorter;
    }
    return shown;
}

void put_payload(ordered_json& out, std::string_view payload, size_t size) {
    const bool is_text = is_plain_utf8(payload);
    out["payload"] = is_text ? std::string(payload) : encode_base64(payload);
    out["encoding"] = is_text ? "utf8" : "base64";
    out["size"] = size;
    out["truncated"] = payload.size() < size;
}

std::string_view properties_shown(std::string_view properties) {
    size_t shown = 0;
    size_t user_properties = 0;
    for (const auto& property : ApplicationProperties(properties)) {
        const auto end =
            static_cast<size_t>(property.value.data() + property.value.size() - properties.data());
        if (property.id == ApplicationPropertyId::user_property) ++user_properties;
        if (end > kMostPropertyBytesShown || user_properties > kMostUserPropertiesShown) break;
        shown = end;
    }
    return properties.substr(0, shown);
}

void put_properties(ordered_json& out, std::string_view shown, size_t size) {
    ordered_json& properties = out["properties"] = ordered_json::object();
    const ApplicationProperties all(shown);
    if (const auto format = all.payload_format()) properties["payload_format"] = *format;
    if (const auto type = all.content_type()) properties["content_type"] = *type;
    if (const auto topic = all.response_topic()) properties["response_topic"] = *topic;
    if (const auto data = all.correlation_data()) {
        properties["correlation_data"] = encode_base64(*data);
    }
    ordered_json user = ordered_json::array();
    all.for_each_user_property([&](std::string_view name, std::string_view value) {
        user.push_back(ordered_json::array({name, value}));
    });
    if (!user.empty()) properties["user"] = std::move(user);
    out["properties_truncated"] = shown.size() < size;
}

bool read_body(std::string_view text, nlohmann::json& body) {
    std::vector<JsonProblem> problems;
    return read_json(text, false, body, problems);
}

std::optional<std::string> payload_of(const nlohmann::json& body, std::string& expected) {
    const auto given = body.find("payload");
    if (given == body.end()) return std::string();
    std::string encoding = given->is_string() ? "utf8" : "json";
    if (const auto word = body.find("encoding"); word != body.end()) {
        encoding = word->is_string() ? word->get<std::string>() : "";
    }
    if (encoding == "json") return given->dump();
    expected = "encoding: expected utf8, base64 or json.";
    if (encoding != "utf8" && encoding != "base64") return std::nullopt;
    expected = "payload: expected a string.";
    if (!given->is_string()) return std::nullopt;
    const auto& text = given->get_ref<const std::string&>();
    if (encoding == "utf8") return text;
    expected = "payload: expected base64.";
    return decode_base64(text);
}

}  // namespace trestle
