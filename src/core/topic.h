// Topic names and topic filters: their syntax and how they match (MQTT 5.0, section 4.7 and 4.8.2;
// the same in 3.1.1).
//
// Pure functions over borrowed views: no allocation, no state, callable from any thread. Strings
// are taken as UTF-8 that was checked elsewhere (core/utf8.h); only what the topic rules add is
// checked here. A fault is a false or an empty result, never an exception.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace trestle {

/// Length limit of topic names and filters: an MQTT string [MQTT-4.7.3-3].
inline constexpr size_t kMaxTopicBytes = 65535;

/// 1 to 65535 bytes, no '+', '#' or U+0000 [MQTT-4.7.0-1], [MQTT-4.7.3-1], [MQTT-4.7.3-2].
[[nodiscard]] bool is_valid_topic_name(std::string_view topic);

/// 1 to 65535 bytes, no U+0000; '+' and '#' fill a whole level, '#' only the last one
/// [MQTT-4.7.1-1], [MQTT-4.7.1-2]. Knows nothing of `$share`: see parse_shared().
[[nodiscard]] bool is_valid_topic_filter(std::string_view filter);

/// Whether a valid topic name matches a valid filter. A filter that starts with a wildcard never
/// matches a topic that starts with '$' [MQTT-4.7.2-1]; `a/#` matches `a`.
[[nodiscard]] bool filter_matches(std::string_view filter, std::string_view topic);

/// Whether some topic name matches both filters. Both must be valid.
[[nodiscard]] bool filters_overlap(std::string_view a, std::string_view b);

/// Whether every topic name that matches `narrow` also matches `wide`. Both must be valid.
[[nodiscard]] bool filter_covers(std::string_view wide, std::string_view narrow);

/// The two parts of `$share/group/filter`; views into the string that was parsed.
struct SharedFilter {
    std::string_view group;
    std::string_view filter;
};

/// True for a subscription that asks to be shared: it must then satisfy parse_shared().
[[nodiscard]] bool is_shared(std::string_view subscription);

/// Empty when the subscription is not shared, or its group or filter is not valid: the group holds
/// at least one byte and no '/', '+', '#' [MQTT-4.8.2-1], [MQTT-4.8.2-2].
[[nodiscard]] std::optional<SharedFilter> parse_shared(std::string_view subscription);

/// What a SUBSCRIBE may carry: a valid filter, or a valid `$share/group/filter`.
[[nodiscard]] bool is_valid_subscription(std::string_view subscription);

/// The number of levels: one more than there are '/'.
[[nodiscard]] size_t topic_levels(std::string_view topic);

/// Walks the levels of a topic or filter: `for (LevelReader r(topic); r.next(level);)`. Empty
/// levels are levels; "a/" has two.
class LevelReader {
 public:
    explicit LevelReader(std::string_view topic) : rest_(topic) {}

    /// Puts the next level into `level`; false when there is none left.
    bool next(std::string_view& level) {
        if (is_done_) return false;
        const size_t slash = rest_.find('/');
        level = rest_.substr(0, slash);
        if (slash == std::string_view::npos) {
            is_done_ = true;
            rest_ = {};
        } else {
            rest_.remove_prefix(slash + 1);
        }
        return true;
    }

    /// What follows the level that next() gave last; empty too when nothing follows (see at_end()).
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool at_end() const { return is_done_; }

 private:
    std::string_view rest_;
    bool is_done_ = false;
};

}  // namespace trestle
