// The user properties of a control packet, as a range of name and value.
//
// A view of a property block (MQTT 5.0 section 2.2.2, without the length in front) of any packet,
// from which it picks the user properties and skips the others. The bytes are borrowed and must be
// valid: those of a decoded packet are, and those that core's ApplicationPropertiesWriter made.
// Reading never goes beyond their end.
#pragma once

#include <cstddef>
#include <string_view>

namespace trestle::mqtt {

struct UserProperty {
    std::string_view name;
    std::string_view value;
    bool operator==(const UserProperty&) const = default;
};

class UserProperties {
 public:
    class Iterator {
     public:
        Iterator() = default;
        explicit Iterator(std::string_view block) : rest_(block) { ++*this; }
        const UserProperty& operator*() const { return current_; }
        const UserProperty* operator->() const { return &current_; }
        Iterator& operator++();
        /// Iterators are compared with the end only.
        bool operator==(const Iterator& other) const { return at_end_ == other.at_end_; }

     private:
        std::string_view rest_;
        UserProperty current_;
        bool at_end_ = true;
    };

    UserProperties() = default;
    explicit UserProperties(std::string_view block) : block_(block) {}

    [[nodiscard]] bool empty() const { return block_.empty() || begin() == end(); }
    [[nodiscard]] Iterator begin() const { return Iterator(block_); }
    [[nodiscard]] static Iterator end() { return {}; }
    /// How many bytes they take on the wire, identifiers included.
    [[nodiscard]] size_t encoded_size() const;

 private:
    std::string_view block_;
};

}  // namespace trestle::mqtt
