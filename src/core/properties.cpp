#include "core/properties.h"

#include "core/utf8.h"

namespace trestle {
namespace {

constexpr size_t kLongest = 65535;

/// Takes a value with its two-byte length from the front of `rest`.
bool take(std::string_view& rest, std::string_view& out) {
    if (rest.size() < 2) return false;
    const size_t length =
        static_cast<size_t>(static_cast<uint8_t>(rest[0])) << 8 | static_cast<uint8_t>(rest[1]);
    if (rest.size() - 2 < length) return false;
    out = rest.substr(2, length);
    rest.remove_prefix(2 + length);
    return true;
}

}  // namespace

ApplicationProperties::Iterator& ApplicationProperties::Iterator::operator++() {
    at_end_ = true;
    if (rest_.empty()) return *this;
    current_ = {static_cast<ApplicationPropertyId>(rest_.front()), {}, {}};
    rest_.remove_prefix(1);
    switch (current_.id) {
        case ApplicationPropertyId::payload_format:
            if (rest_.empty()) return *this;
            current_.value = rest_.substr(0, 1);
            rest_.remove_prefix(1);
            break;
        case ApplicationPropertyId::content_type:
        case ApplicationPropertyId::response_topic:
        case ApplicationPropertyId::correlation_data:
            if (!take(rest_, current_.value)) return *this;
            break;
        case ApplicationPropertyId::user_property:
            if (!take(rest_, current_.name) || !take(rest_, current_.value)) return *this;
            break;
        default:
            return *this;
    }
    at_end_ = false;
    return *this;
}

std::optional<std::string_view> ApplicationProperties::find(ApplicationPropertyId id) const {
    for (const auto& property : *this) {
        if (property.id == id) return property.value;
    }
    return std::nullopt;
}

std::optional<uint8_t> ApplicationProperties::payload_format() const {
    const auto value = find(ApplicationPropertyId::payload_format);
    if (!value) return std::nullopt;
    return static_cast<uint8_t>(value->front());
}

std::optional<std::string_view> ApplicationProperties::content_type() const {
    return find(ApplicationPropertyId::content_type);
}

std::optional<std::string_view> ApplicationProperties::response_topic() const {
    return find(ApplicationPropertyId::response_topic);
}

std::optional<std::string_view> ApplicationProperties::correlation_data() const {
    return find(ApplicationPropertyId::correlation_data);
}

bool ApplicationPropertiesWriter::once(ApplicationPropertyId id) {
    const auto bit = static_cast<uint16_t>(1U << static_cast<unsigned>(id));
    if ((written_ & bit) != 0) return false;
    written_ = static_cast<uint16_t>(written_ | bit);
    put(id);
    return true;
}

void ApplicationPropertiesWriter::put(std::string_view text) {
    out_.push_back(static_cast<char>(text.size() >> 8));
    out_.push_back(static_cast<char>(text.size() & 0xFFU));
    out_.append(text);
}

bool ApplicationPropertiesWriter::payload_format(uint8_t format) {
    if (format > 1 || !once(ApplicationPropertyId::payload_format)) return false;
    out_.push_back(static_cast<char>(format));
    return true;
}

bool ApplicationPropertiesWriter::content_type(std::string_view type) {
    if (type.size() > kLongest || !is_valid_mqtt_utf8(type)) return false;
    if (!once(ApplicationPropertyId::content_type)) return false;
    put(type);
    return true;
}

bool ApplicationPropertiesWriter::response_topic(std::string_view topic) {
    if (topic.empty() || topic.size() > kLongest || !is_valid_mqtt_utf8(topic)) return false;
    if (topic.find_first_of("+#") != std::string_view::npos) return false;
    if (!once(ApplicationPropertyId::response_topic)) return false;
    put(topic);
    return true;
}

bool ApplicationPropertiesWriter::correlation_data(std::string_view data) {
    if (data.size() > kLongest || !once(ApplicationPropertyId::correlation_data)) return false;
    put(data);
    return true;
}

bool ApplicationPropertiesWriter::user_property(std::string_view name, std::string_view value) {
    if (name.size() > kLongest || value.size() > kLongest) return false;
    if (!is_valid_mqtt_utf8(name) || !is_valid_mqtt_utf8(value)) return false;
    put(ApplicationPropertyId::user_property);
    put(name);
    put(value);
    return true;
}

}  // namespace trestle
