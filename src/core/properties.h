// The application's own properties of a message: payload format, content type, response topic,
// correlation data and user properties.
//
// They are kept as the bytes that MQTT 5 puts on the wire (section 2.2.2.2: identifier and value,
// one after the other, without the length in front), so that the common way, from one MQTT client
// to another, copies them untouched. Message expiry, topic alias and subscription identifiers are
// not among them; these belong to a delivery and are carried beside. An empty view means no
// properties.
//
// The reader borrows the bytes. It assumes that they are valid (the codec checks what comes from
// the wire, the writer makes nothing else), but never reads beyond their end: reading stops at the
// first thing that makes no sense. No allocation, no exceptions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trestle {

/// MQTT 5.0 table 2-4.
enum class ApplicationPropertyId : uint8_t {
    payload_format = 0x01,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    user_property = 0x26,
};

/// One property: `name` is for user properties only, `value` of payload_format is one byte, 0 or 1.
struct ApplicationProperty {
    ApplicationPropertyId id = ApplicationPropertyId::user_property;
    std::string_view name;
    std::string_view value;
};

/// Reads properties from bytes it borrows. A range of ApplicationProperty, in the order of the
/// bytes.
class ApplicationProperties {
 public:
    class Iterator {
     public:
        Iterator() = default;
        explicit Iterator(std::string_view bytes) : rest_(bytes) { ++*this; }
        const ApplicationProperty& operator*() const { return current_; }
        const ApplicationProperty* operator->() const { return &current_; }
        Iterator& operator++();
        /// Iterators are compared with the end only.
        bool operator==(const Iterator& other) const { return at_end_ == other.at_end_; }

     private:
        std::string_view rest_;
        ApplicationProperty current_;
        bool at_end_ = true;
    };

    ApplicationProperties() = default;
    explicit ApplicationProperties(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    [[nodiscard]] Iterator begin() const { return Iterator(bytes_); }
    [[nodiscard]] static Iterator end() { return {}; }

    /// 1: the payload is UTF-8 text. 0, like nothing at all: unspecified bytes.
    [[nodiscard]] std::optional<uint8_t> payload_format() const;
    [[nodiscard]] std::optional<std::string_view> content_type() const;
    [[nodiscard]] std::optional<std::string_view> response_topic() const;
    [[nodiscard]] std::optional<std::string_view> correlation_data() const;

    /// Calls `f(name, value)` for each user property, in order [MQTT-3.3.2-18]. Names may repeat.
    template <typename F>
    void for_each_user_property(F&& f) const {
        for (const auto& property : *this) {
            if (property.id == ApplicationPropertyId::user_property)
                f(property.name, property.value);
        }
    }

 private:
    [[nodiscard]] std::optional<std::string_view> find(ApplicationPropertyId id) const;

    std::string_view bytes_;
};

/// Appends properties to a string. Each function answers false, and writes nothing, when the value
/// could not go on the wire: longer than 65,535 bytes, not MQTT UTF-8, a response topic that is
/// empty or has wildcards, a payload format above 1, a second one of a kind that may come once.
class ApplicationPropertiesWriter {
 public:
    explicit ApplicationPropertiesWriter(std::string& out) : out_(out) {}

    [[nodiscard]] bool payload_format(uint8_t format);
    [[nodiscard]] bool content_type(std::string_view type);
    [[nodiscard]] bool response_topic(std::string_view topic);
    [[nodiscard]] bool correlation_data(std::string_view data);
    [[nodiscard]] bool user_property(std::string_view name, std::string_view value);

 private:
    [[nodiscard]] bool once(ApplicationPropertyId id);
    void put(ApplicationPropertyId id) { out_.push_back(static_cast<char>(id)); }
    void put(std::string_view text);

    std::string& out_;
    uint16_t written_ = 0;  // a bit per identifier that may come once
};

}  // namespace trestle
