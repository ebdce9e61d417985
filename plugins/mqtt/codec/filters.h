// The topic filters of a SUBSCRIBE or UNSUBSCRIBE packet.
//
// A list borrows the packet's bytes, which the decoder has checked; it reads them as it is walked,
// so a packet of any size costs no memory. What a filter may look like is not the codec's concern:
// filters are UTF-8 without U+0000, and nothing more is sure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trestle::mqtt {

/// One filter and its options (MQTT 5.0 section 3.8.3.1; 3.1.1 has the QoS alone).
struct Subscription {
    std::string_view filter;
    uint8_t qos = 0;
    bool no_local = false;
    bool retain_as_published = false;
    uint8_t retain_handling = 0;  // 0: send retained, 1: if the subscription is new, 2: do not

    bool operator==(const Subscription&) const = default;
};

/// Whether a filter names a shared subscription.
[[nodiscard]] constexpr bool is_shared(std::string_view filter) {
    return filter.starts_with("$share/");
}

/// A range of Subscription. Those of an UNSUBSCRIBE have default options.
class FilterList {
 public:
    class Iterator {
     public:
        Iterator(std::string_view rest, bool options) : rest_(rest), options_(options) { read(); }
        const Subscription& operator*() const { return current_; }
        const Subscription* operator->() const { return &current_; }
        Iterator& operator++() {
            rest_.remove_prefix(taken_);
            read();
            return *this;
        }
        /// Bytes from here to the end of the packet.
        [[nodiscard]] size_t left() const { return rest_.size(); }
        bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

     private:
        void read();

        std::string_view rest_;
        Subscription current_;
        size_t taken_ = 0;
        bool options_;
    };

    FilterList() = default;
    /// `bytes` must have been checked. With options: SUBSCRIBE, else UNSUBSCRIBE.
    FilterList(std::string_view bytes, size_t count, bool options)
        : bytes_(bytes), count_(count), options_(options) {}

    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] Iterator begin() const { return {bytes_, options_}; }
    [[nodiscard]] Iterator end() const { return {bytes_.substr(bytes_.size()), options_}; }

 private:
    std::string_view bytes_;
    size_t count_ = 0;
    bool options_ = false;
};

inline void FilterList::Iterator::read() {
    taken_ = 0;
    if (rest_.size() < 2) return;
    const size_t length =
        static_cast<size_t>(static_cast<uint8_t>(rest_[0])) << 8 | static_cast<uint8_t>(rest_[1]);
    current_.filter = rest_.substr(2, length);
    taken_ = 2 + length;
    if (!options_) return;
    const auto options = static_cast<uint8_t>(rest_[taken_]);
    ++taken_;
    current_.qos = options & 3U;
    current_.no_local = (options & 4U) != 0;
    current_.retain_as_published = (options & 8U) != 0;
    current_.retain_handling = options >> 4U & 3U;
}

}  // namespace trestle::mqtt
