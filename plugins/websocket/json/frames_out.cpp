#include "websocket/json/frames_out.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/properties.h"
#include "core/utf8.h"
#include "websocket/json/text.h"

namespace trestle::websocket::json {

namespace {

void append_number(std::string& out, uint64_t number) {
    char digits[20];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, static_cast<size_t>(end - digits));
}

void append_id(std::string& out, std::string_view id) {
    out += R"({"id":)";
    out += id.empty() ? "null" : id;
}

/// Writes `,` before every name but the first.
class Names {
 public:
    explicit Names(std::string& out) : out_(out) {}
    std::string& next(std::string_view quoted_name_and_colon) {
        if (!std::exchange(first_, false)) out_ += ',';
        return out_ += quoted_name_and_colon;
    }

 private:
    std::string& out_;
    bool first_ = true;
};

void append_user_properties(Names& names, const ApplicationProperties& properties) {
    std::string* list = nullptr;
    properties.for_each_user_property([&](std::string_view name, std::string_view value) {
        if (list == nullptr) {
            list = &names.next(R"("user_properties":[)");
        } else {
            *list += ',';
        }
        *list += '[';
        append_string(*list, name);
        *list += ',';
        append_string(*list, value);
        *list += ']';
    });
    if (list != nullptr) *list += ']';
}

void append_properties(std::string& out, const MessageView& message, uint64_t now_ms) {
    out += '{';
    Names names(out);
    const ApplicationProperties properties(message.properties);
    if (!properties.empty()) {
        if (const auto format = properties.payload_format()) {
            append_number(names.next(R"("payload_format":)"), *format);
        }
        if (const auto type = properties.content_type()) {
            append_string(names.next(R"("content_type":)"), *type);
        }
        if (const auto topic = properties.response_topic()) {
            append_string(names.next(R"("response_topic":)"), *topic);
        }
        if (const auto data = properties.correlation_data()) {
            append_base64(names.next(R"("correlation_data":)"), *data);
        }
        append_user_properties(names, properties);
    }
    if (message.expires_at_ms != kNeverExpires) {
        // Less the whole seconds that it has waited [MQTT-3.3.2-6].
        const uint64_t left = message.expires_at_ms > now_ms ? message.expires_at_ms - now_ms : 0;
        append_number(names.next(R"("message_expiry":)"), (left + 999) / 1000);
    }
    out += '}';
}

void append_content(std::string& out, const Outgoing& what) {
    const MessageView& message = what.message;
    out += R"("topic":)";
    append_string(out, message.topic);
    out += R"(,"payload":)";
    if (is_plain_utf8(message.payload)) {
        append_string(out, message.payload);
        out += R"(,"encoding":"utf8","qos":)";
    } else {
        append_base64(out, message.payload);
        out += R"(,"encoding":"base64","qos":)";
    }
    append_number(out, static_cast<uint64_t>(what.qos));
    out += what.retain ? R"(,"retain":true,"properties":)" : R"(,"retain":false,"properties":)";
    append_properties(out, message, what.now_ms);
}

}  // namespace

void append_message(std::string& out, const Outgoing& what) {
    out += R"({"op":"message",)";
    append_content(out, what);
    if (what.delivery != 0) {
        out += R"(,"delivery":)";
        append_number(out, what.delivery);
    }
    if (!what.subscription_ids.empty()) {
        out += R"(,"subscription_ids":)";
        char before = '[';
        for (const uint32_t id : what.subscription_ids) {
            out += std::exchange(before, ',');
            append_number(out, id);
        }
        out += ']';
    }
    out += '}';
}

void append_ok(std::string& out, std::string_view id) {
    append_id(out, id);
    out += R"(,"ok":true})";
}

void append_subscribed(std::string& out, std::string_view id, Qos qos) {
    append_id(out, id);
    out += R"(,"ok":true,"qos":)";
    append_number(out, static_cast<uint64_t>(qos));
    out += '}';
}

void append_response(std::string& out, std::string_view id, const Outgoing& what) {
    append_id(out, id);
    out += R"(,"ok":true,)";
    append_content(out, what);
    out += '}';
}

void append_error(std::string& out, std::string_view id, const Fault& fault) {
    append_id(out, id);
    out += R"(,"ok":false,"error":{"code":)";
    append_string(out, to_string(fault.code));
    out += R"(,"message":)";
    append_string(out, fault.sentence);
    out += "}}";
}

}  // namespace trestle::websocket::json
