// The properties of PUBLISH and of a will: those of the application stay together as bytes, the
// delivery's own are taken out (MQTT 5.0 sections 3.3.2.3 and 3.1.3.2).
#include "core/utf8.h"
#include "mqtt/codec/faults.h"
#include "mqtt/codec/properties_decode.h"

namespace trestle::mqtt {
namespace {

using enum PropertyId;
constexpr PropertySet kApplication = property_set(payload_format_indicator, content_type,
                                                  response_topic, correlation_data, user_property);
constexpr PropertySet kPublish =
    kApplication | property_set(message_expiry_interval, topic_alias, subscription_identifier);
constexpr PropertySet kWill =
    kApplication | property_set(message_expiry_interval, will_delay_interval);
constexpr PropertySet kRepeatable = property_set(user_property, subscription_identifier);

/// Joins pieces of one buffer: a view as long as they follow each other there, else a copy.
class Gathered {
 public:
    explicit Gathered(std::string& scratch) : scratch_(scratch) {}

    void add(std::string_view piece) {
        if (copied_) {
            scratch_.append(piece);
        } else if (run_.empty()) {
            run_ = piece;
        } else if (run_.data() + run_.size() == piece.data()) {
            run_ = {run_.data(), run_.size() + piece.size()};
        } else {
            scratch_.assign(run_).append(piece);
            copied_ = true;
        }
    }
    [[nodiscard]] std::string_view all() const { return copied_ ? scratch_ : run_; }

 private:
    std::string& scratch_;
    std::string_view run_;
    bool copied_ = false;
};

Fault check_string(Reader& in) {
    std::string_view text;
    if (!in.binary(text)) return property_truncated();
    return is_valid_mqtt_utf8(text) ? Fault{} : bad_utf8();
}

/// A response topic is a topic name [MQTT-3.3.2-13] [MQTT-3.3.2-14].
Fault check_response_topic(Reader& in) {
    std::string_view topic;
    if (!in.binary(topic)) return property_truncated();
    if (!is_valid_mqtt_utf8(topic)) return bad_utf8();
    if (topic.empty()) return protocol_error("the response topic is empty");
    if (topic.find_first_of("+#") != std::string_view::npos) {
        return protocol_error("the response topic has wildcards");
    }
    return {};
}

Fault check_application_value(Reader& in, PropertyId id) {
    if (id == payload_format_indicator) {
        uint8_t format = 0;
        if (!in.u8(format)) return property_truncated();
        return format <= 1 ? Fault{} : protocol_error("the payload format is not 0 or 1");
    }
    if (id == correlation_data) {
        std::string_view data;
        return in.binary(data) ? Fault{} : property_truncated();
    }
    if (id == response_topic) return check_response_topic(in);
    if (Fault fault = check_string(in)) return fault;
    return id == user_property ? check_string(in) : Fault{};
}

Fault take_delivery_value(Reader& in, PropertyId id, std::vector<uint32_t>* subscription_ids,
                          MessageProperties& out) {
    switch (id) {
        case message_expiry_interval:
            return in.u32(out.message_expiry.emplace()) ? Fault{} : property_truncated();
        case will_delay_interval:
            return in.u32(out.will_delay.emplace()) ? Fault{} : property_truncated();
        case topic_alias:
            if (!in.u16(out.topic_alias)) return property_truncated();
            if (out.topic_alias == 0) {  // [MQTT-3.3.2-8]
                return {Reason::topic_alias_invalid, "the topic alias is 0"};
            }
            return {};
        default:
            break;
    }
    uint32_t subscription_id = 0;
    if (!in.variable(subscription_id)) return property_truncated();
    if (subscription_ids == nullptr) {
        return protocol_error("a client sent a subscription identifier in PUBLISH");
    }
    if (subscription_id == 0) return protocol_error("the subscription identifier is 0");
    subscription_ids->push_back(subscription_id);
    return {};
}

}  // namespace

Fault decode_message_properties(std::string_view block, MessageKind kind, std::string& scratch,
                                std::vector<uint32_t>* subscription_ids, MessageProperties& out) {
    const PropertySet allowed = kind == MessageKind::publish ? kPublish : kWill;
    PropertySet seen = 0;
    Gathered application(scratch);
    Reader in(block);
    while (!in.empty()) {
        const char* const start = in.at();
        uint8_t id = 0;
        if (!in.u8(id) || !contains(allowed, id)) return property_not_allowed();
        if (contains(seen & ~kRepeatable, id)) return property_repeated();
        seen |= PropertySet{1} << id;
        const auto property = static_cast<PropertyId>(id);
        const bool of_application = contains(kApplication, id);
        const Fault fault = of_application
                                ? check_application_value(in, property)
                                : take_delivery_value(in, property, subscription_ids, out);
        if (fault) return fault;
        if (of_application) application.add({start, static_cast<size_t>(in.at() - start)});
    }
    out.application = application.all();
    return {};
}

}  // namespace trestle::mqtt
