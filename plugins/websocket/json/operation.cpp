#include "websocket/json/operation.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/properties.h"
#include "core/topic.h"
#include "core/utf8.h"
#include "websocket/json/members.h"
#include "websocket/json/text.h"

namespace trestle::websocket::json {

namespace {

using Json = nlohmann::json;
using Type = Member::Type;

constexpr size_t kLongestId = 256;
constexpr uint64_t kLongestTimeoutMs = 3'600'000;
constexpr uint32_t kLargestSubscriptionId = 268'435'455;  // MQTT 5.0 section 3.8.2.1.2

constexpr std::array<std::pair<std::string_view, Op>, 6> kOps = {{{"subscribe", Op::subscribe},
                                                                  {"unsubscribe", Op::unsubscribe},
                                                                  {"publish", Op::publish},
                                                                  {"request", Op::request},
                                                                  {"ping", Op::ping},
                                                                  {"ack", Op::ack}}};

/// What operations know beside their topic and payload.
constexpr bool knows(Op op, std::string_view key) {
    const bool publishes = op == Op::publish || op == Op::request;
    if (key == "qos") return publishes || op == Op::subscribe;
    if (key == "retain" || key == "properties") return publishes;
    if (key == "timeout_ms") return op == Op::request;
    if (key == "delivery") return op == Op::ack;
    return op == Op::subscribe;
}

Fault bad(std::string sentence) { return {Code::bad_request, std::move(sentence)}; }
Fault bad(std::string_view name, const char* should) {
    return bad("\"" + std::string(name) + "\" must be " + should);
}

bool take_integer(const Member& member, uint64_t least, uint64_t most, uint64_t& out) {
    if (member.type != Type::number) return false;
    const char* end = member.text.data() + member.text.size();
    const auto [at, error] = std::from_chars(member.text.data(), end, out);
    return error == std::errc() && at == end && out >= least && out <= most;
}

Fault status_fault(Members::Status status) {
    switch (status) {
        case Members::Status::good:
            return {};
        case Members::Status::not_json:
            return {Code::not_json, "the frame is not JSON"};
        case Members::Status::not_an_object:
            return bad("a frame is one JSON object");
        case Members::Status::too_deep:
            return bad("the JSON is nested too deeply");
        case Members::Status::too_many:
            return bad("the object has too many members");
        case Members::Status::twice:
            return bad("a member is given twice");
    }
    return {};
}

Fault take_id(const Member& member, Operation& out) {
    if (member.text.size() > kLongestId) return bad("id", "no longer than 256 bytes");
    if (member.type == Type::string) {
        append_string(out.id, member.text);
    } else if (member.type == Type::number) {
        out.id = member.text;
    } else {
        return bad("id", "a string or a number");
    }
    return {};
}

Fault take_user_properties(const Member& member, ApplicationPropertiesWriter& writer) {
    // Good JSON by our reader; what nlohmann's cannot represent is no pair of strings.
    const Json list = Json::parse(member.text, nullptr, false);
    if (!list.is_array()) return bad("user_properties", "an array of pairs");
    for (const auto& pair : list) {
        if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
            return bad("user_properties", "an array of pairs of strings");
        }
        if (!writer.user_property(pair[0].get_ref<const std::string&>(),
                                  pair[1].get_ref<const std::string&>())) {
            return bad("user_properties", "shorter than 64 KiB each, without U+0000");
        }
    }
    return {};
}

Fault take_property(const Member& property, ApplicationPropertiesWriter& writer, Operation& out) {
    const std::string& key = property.key;
    const bool is_string = property.type == Type::string;
    uint64_t number = 0;
    if (key == "content_type") {
        return is_string && writer.content_type(property.text) ? Fault{}
                                                               : bad(key, "a string below 64 KiB");
    }
    if (key == "response_topic") {
        return is_string && writer.response_topic(property.text)
                   ? Fault{}
                   : bad(key, "a topic without wildcards");
    }
    if (key == "correlation_data") {
        const auto bytes = is_string ? decode_base64(property.text) : std::nullopt;
        return bytes && writer.correlation_data(*bytes) ? Fault{}
                                                        : bad(key, "base64, below 64 KiB");
    }
    if (key == "payload_format") {
        return take_integer(property, 0, 1, number) &&
                       writer.payload_format(static_cast<uint8_t>(number))
                   ? Fault{}
                   : bad(key, "0 or 1");
    }
    if (key == "message_expiry") {
        if (!take_integer(property, 0, UINT32_MAX, number)) {
            return bad(key, "seconds, at most 2^32-1");
        }
        out.expiry_s = static_cast<uint32_t>(number);
        return {};
    }
    if (key == "user_properties") return take_user_properties(property, writer);
    const std::string_view start = std::string_view(key).substr(0, 64);
    return bad("there is no property \"" + key.substr(0, whole_utf8(start).value_or(0)) +
               "\"; one of your own goes into user_properties");
}

Fault take_properties(const Member& member, Operation& out) {
    if (member.type != Type::object) return bad("properties", "an object");
    const Members properties = read_members(member.text);
    if (Fault fault = status_fault(properties.status)) return fault;
    ApplicationPropertiesWriter writer(out.properties);
    for (const auto& property : properties.all) {
        if (Fault fault = take_property(property, writer, out)) return fault;
    }
    return {};
}

Fault take_payload(const Members& members, Operation& out) {
    const Member* payload = members.find("payload");
    const Member* encoding = members.find("encoding");
    const std::string_view how = encoding != nullptr ? std::string_view(encoding->text)
                                 : payload != nullptr && payload->type != Type::string ? "json"
                                                                                       : "utf8";
    if (encoding != nullptr && encoding->type != Type::string) {
        return bad("encoding", "utf8, base64 or json");
    }
    if (how == "json") {
        if (payload == nullptr) return bad("payload", "given when its encoding is json");
        if (payload->type == Type::string) {
            append_string(out.payload, payload->text);
        } else {
            out.payload = payload->text;
        }
        return {};
    }
    if (how != "utf8" && how != "base64") return bad("encoding", "utf8, base64 or json");
    if (payload == nullptr) return {};
    if (payload->type != Type::string) return bad("payload", "a string in this encoding");
    if (how == "utf8") {
        out.payload = payload->text;
        return {};
    }
    auto bytes = decode_base64(payload->text);
    if (!bytes) return {Code::payload_invalid, "the payload is not base64"};
    out.payload = std::move(*bytes);
    return {};
}

Fault take_flag(const Member& member, bool& out) {
    if (member.type != Type::boolean) return bad(member.key, "true or false");
    out = member.text == "true";
    return {};
}

Fault take_number(const Member& member, Operation& out) {
    uint64_t number = 0;
    if (member.key == "qos") {
        if (!take_integer(member, 0, 2, number)) return bad("qos", "0, 1 or 2");
        out.qos = static_cast<uint8_t>(number);
    } else if (member.key == "delivery") {
        if (!take_integer(member, 0, UINT64_MAX, number)) return bad("delivery", "a number");
        out.delivery = number;
    } else if (member.key == "timeout_ms") {
        if (!take_integer(member, 1, kLongestTimeoutMs, number)) {
            return bad("timeout_ms", "1 to 3600000");
        }
        out.timeout_ms = number;
    } else if (member.key == "retain_handling") {
        if (!take_integer(member, 0, 2, number)) return bad("retain_handling", "0, 1 or 2");
        out.retain_handling = static_cast<uint8_t>(number);
    } else if (member.key == "subscription_id") {
        if (!take_integer(member, 1, kLargestSubscriptionId, number)) {
            return bad("subscription_id", "1 to 268435455");
        }
        out.subscription_id = static_cast<uint32_t>(number);
    }
    return {};
}

Fault take_options(const Members& members, Operation& out) {
    for (const auto& member : members.all) {
        if (!knows(out.op, member.key)) continue;
        Fault fault;
        if (member.key == "retain") {
            fault = take_flag(member, out.retain);
        } else if (member.key == "no_local") {
            fault = take_flag(member, out.no_local);
        } else if (member.key == "retain_as_published") {
            fault = take_flag(member, out.retain_as_published);
        } else if (member.key == "properties") {
            fault = take_properties(member, out);
        } else {
            fault = take_number(member, out);
        }
        if (fault) return fault;
    }
    return {};
}

Fault take_topic(const Members& members, Operation& out) {
    const bool is_filter = out.op == Op::subscribe || out.op == Op::unsubscribe;
    const char* name = is_filter ? "filter" : "topic";
    const Member* member = members.find(name);
    if (member == nullptr || member->type != Type::string) return bad(name, "a string");
    out.topic = member->text;
    if (is_filter) {
        if (is_valid_subscription(out.topic)) return {};
        return {Code::filter_invalid,
                "the filter is empty, too long, or has a wildcard in a wrong place"};
    }
    if (is_valid_topic_name(out.topic)) return {};
    return {Code::topic_invalid, "the topic is empty, too long, or holds +, # or U+0000"};
}

Fault take_op(const Members& members, Operation& out) {
    const Member* op = members.find("op");
    if (op == nullptr || op->type != Type::string)
        return bad("op", "a string that names an operation");
    for (const auto& [name, value] : kOps) {
        if (op->text != name) continue;
        out.op = value;
        return {};
    }
    return {Code::unknown_op, "there are subscribe, unsubscribe, publish, request, ping and ack"};
}

}  // namespace

std::string_view to_string(Code code) {
    constexpr std::string_view kNames[kCodes] = {
        "none",           "not_json",         "binary_frame",
        "unknown_op",     "bad_request",      "topic_invalid",
        "filter_invalid", "payload_invalid",  "qos_not_supported",
        "not_authorized", "unknown_delivery", "quota_exceeded",
        "queue_full",     "given_up",         "no_subscriber",
        "timed_out",      "dead_lettered"};
    return kNames[static_cast<size_t>(code)];
}

Fault read_operation(std::string_view text, Operation& out) {
    const Members members = read_members(text);
    Fault whole = status_fault(members.status);
    if (whole.code == Code::not_json) return whole;  // nor was what looked like an id
    if (const Member* id = members.find("id")) {
        if (Fault fault = take_id(*id, out)) return fault;
    }
    if (whole) return whole;
    if (Fault fault = take_op(members, out)) return fault;
    if (out.id.empty() && out.op != Op::ack) return bad("every operation has an \"id\"");
    if (Fault fault = take_options(members, out)) return fault;
    if (out.op == Op::ping) return {};
    if (out.op == Op::ack) {
        return out.delivery ? Fault{} : bad("delivery", "the number of a message");
    }
    if (Fault fault = take_topic(members, out)) return fault;
    if (out.op == Op::publish || out.op == Op::request) return take_payload(members, out);
    return {};
}

}  // namespace trestle::websocket::json
