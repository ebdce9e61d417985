#include "mqtt/codec/properties_encode.h"

namespace trestle::mqtt {
namespace {

/// Hands each property that is there and in `set` to the sink, which has one function per kind.
template <typename Sink>
class Each {
 public:
    Each(PropertySet set, Sink& sink) : set_(set), sink_(sink) {}

    void all(const Properties& p) {
        using enum PropertyId;
        one(session_expiry_interval, p.session_expiry_interval);
        one(receive_maximum, p.receive_maximum);
        one(maximum_qos, p.maximum_qos);
        one(retain_available, p.retain_available);
        one(maximum_packet_size, p.maximum_packet_size);
        one(assigned_client_identifier, p.assigned_client_identifier);
        one(topic_alias_maximum, p.topic_alias_maximum);
        one(request_response_information, p.request_response_information);
        one(request_problem_information, p.request_problem_information);
        one(wildcard_subscription_available, p.wildcard_subscription_available);
        one(subscription_identifier_available, p.subscription_identifier_available);
        one(shared_subscription_available, p.shared_subscription_available);
        one(server_keep_alive, p.server_keep_alive);
        one(response_information, p.response_information);
        one(server_reference, p.server_reference);
        one(authentication_method, p.authentication_method);
        one(authentication_data, p.authentication_data);
        if (contains(set_, id_byte(subscription_identifier)) && p.subscription_identifier) {
            sink_.variable(id_byte(subscription_identifier), *p.subscription_identifier);
        }
        one(reason_string, p.reason_string);
        if (contains(set_, id_byte(user_property))) sink_.user_properties(p.user_properties);
    }

 private:
    static constexpr uint8_t id_byte(PropertyId id) { return static_cast<uint8_t>(id); }

    template <typename T>
    void one(PropertyId id, const std::optional<T>& value) {
        if (value && contains(set_, id_byte(id))) sink_.value(id_byte(id), *value);
    }

    PropertySet set_;
    Sink& sink_;
};

struct SizeSink {
    size_t size = 0;
    bool fits = true;

    void value(uint8_t, bool) { size += 2; }
    void value(uint8_t, uint8_t) { size += 2; }
    void value(uint8_t, uint16_t) { size += 3; }
    void value(uint8_t, uint32_t) { size += 5; }
    void value(uint8_t, std::string_view text) {
        size += 3 + text.size();
        if (text.size() > kLongestString) fits = false;
    }
    void variable(uint8_t, uint32_t number) {
        size += 1 + variable_size(number);
        if (number > kLargestVariable) fits = false;
    }
    void user_properties(const UserProperties& list) { size += list.encoded_size(); }
};

struct WriteSink {
    Writer& writer;

    void value(uint8_t id, bool flag) { value(id, static_cast<uint8_t>(flag ? 1 : 0)); }
    void value(uint8_t id, uint8_t number) {
        writer.u8(id);
        writer.u8(number);
    }
    void value(uint8_t id, uint16_t number) {
        writer.u8(id);
        writer.u16(number);
    }
    void value(uint8_t id, uint32_t number) {
        writer.u8(id);
        writer.u32(number);
    }
    void value(uint8_t id, std::string_view text) {
        writer.u8(id);
        writer.binary(text);
    }
    void variable(uint8_t id, uint32_t number) {
        writer.u8(id);
        writer.variable(number);
    }
    void user_properties(const UserProperties& list) {
        for (const auto& property : list) {
            writer.u8(static_cast<uint8_t>(PropertyId::user_property));
            writer.binary(property.name);
            writer.binary(property.value);
        }
    }
};

}  // namespace

std::optional<PropertyBlock> fit_properties(const Properties& properties, PropertySet allowed,
                                            size_t others, size_t maximum) {
    if (maximum > kLargestPacket) maximum = kLargestPacket;
    const PropertySet without_user = allowed & ~property_set(PropertyId::user_property);
    const PropertySet least = without_user & ~property_set(PropertyId::reason_string);
    for (const PropertySet set : {allowed, without_user, least}) {
        SizeSink sink;
        Each<SizeSink>(set, sink).all(properties);
        const PropertyBlock block{&properties, set, sink.size};
        if (sink.fits && packet_size(length_with(block, others)) <= maximum) return block;
    }
    return std::nullopt;
}

void write_properties(Writer& writer, const PropertyBlock& block) {
    writer.variable(block.size);
    WriteSink sink{writer};
    Each<WriteSink>(block.set, sink).all(*block.properties);
}

}  // namespace trestle::mqtt
