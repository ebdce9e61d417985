#include "core/topic.h"

#include <algorithm>

#include "core/utf8.h"

namespace trestle {
namespace {

constexpr std::string_view kSharePrefix = "$share/";
constexpr std::string_view kGroupBreakers("+#\0", 3);

bool is_wildcard(std::string_view level) { return level == "+" || level == "#"; }

bool has_breaker(const char* at, const char* end) {
    return std::any_of(at, end, [](char c) { return c == '+' || c == '#' || c == '\0'; });
}

/// False only when none of the eight bytes is '+', '#' or U+0000; bytes from 0x80 on cause doubt.
bool word_may_break(uint64_t word) {
    return (eight_bytes::not_ascii_or_zero(word) | eight_bytes::find(word, '+') |
            eight_bytes::find(word, '#')) != 0;
}

bool has_valid_length(std::string_view text) {
    return !text.empty() && text.size() <= kMaxTopicBytes;
}

/// [MQTT-4.7.2-1] for two patterns: one starts with a wildcard, the other with a literal '$'.
bool dollar_parts(std::string_view a, std::string_view b) {
    const bool a_is_open = a.front() == '+' || a.front() == '#';
    const bool b_is_open = b.front() == '+' || b.front() == '#';
    return (a_is_open && b.front() == '$') || (b_is_open && a.front() == '$');
}

}  // namespace

bool is_valid_topic_name(std::string_view topic) {
    if (!has_valid_length(topic)) return false;
    const char* at = topic.data();
    const char* const end = at + topic.size();
    for (; end - at >= 8; at += 8) {
        if (word_may_break(eight_bytes::load(at)) && has_breaker(at, at + 8)) return false;
    }
    return !has_breaker(at, end);
}

bool is_valid_topic_filter(std::string_view filter) {
    if (!has_valid_length(filter) || filter.find('\0') != std::string_view::npos) return false;
    std::string_view level;
    for (LevelReader levels(filter); levels.next(level);) {
        if (level.find_first_of("+#") == std::string_view::npos) continue;
        if (!is_wildcard(level)) return false;
        if (level == "#" && !levels.at_end()) return false;
    }
    return true;
}

bool filter_matches(std::string_view filter, std::string_view topic) {
    if (filter.empty() || topic.empty()) return false;
    if (topic.front() == '$' && (filter.front() == '+' || filter.front() == '#')) return false;
    LevelReader wanted(filter);
    LevelReader given(topic);
    std::string_view want;
    std::string_view have;
    while (wanted.next(want)) {
        if (want == "#") return true;
        if (!given.next(have)) return false;
        if (want != "+" && want != have) return false;
        // "a/#" matches "a" as well: nothing but '#' is left of the filter.
        if (given.at_end() && !wanted.at_end()) return wanted.rest() == "#";
    }
    return given.at_end();
}

bool filters_overlap(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty() || dollar_parts(a, b)) return false;
    // Both would take the empty topic, which is none.
    if ((a == "+" && b == "/#") || (a == "/#" && b == "+")) return false;
    LevelReader a_levels(a);
    LevelReader b_levels(b);
    std::string_view x;
    std::string_view y;
    for (;;) {
        const bool has_x = a_levels.next(x);
        const bool has_y = b_levels.next(y);
        if ((has_x && x == "#") || (has_y && y == "#")) return true;
        if (!has_x || !has_y) return has_x == has_y;
        if (x != "+" && y != "+" && x != y) return false;
    }
}

bool filter_covers(std::string_view wide, std::string_view narrow) {
    if (wide.empty() || narrow.empty() || dollar_parts(wide, narrow)) return false;
    LevelReader wide_levels(wide);
    LevelReader narrow_levels(narrow);
    std::string_view x;
    std::string_view y;
    for (;;) {
        const bool has_x = wide_levels.next(x);
        const bool has_y = narrow_levels.next(y);
        if (has_x && x == "#") return true;
        if (!has_x || !has_y) return has_x == has_y;
        if (y == "#") return false;
        if (x != "+" && x != y) return false;
    }
}

bool is_shared(std::string_view subscription) { return subscription.starts_with(kSharePrefix); }

std::optional<SharedFilter> parse_shared(std::string_view subscription) {
    if (!is_shared(subscription) || subscription.size() > kMaxTopicBytes) return std::nullopt;
    const std::string_view rest = subscription.substr(kSharePrefix.size());
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos || slash == 0) return std::nullopt;
    const SharedFilter parts{rest.substr(0, slash), rest.substr(slash + 1)};
    if (parts.group.find_first_of(kGroupBreakers) != std::string_view::npos) return std::nullopt;
    if (!is_valid_topic_filter(parts.filter)) return std::nullopt;
    return parts;
}

bool is_valid_subscription(std::string_view subscription) {
    if (is_shared(subscription)) return parse_shared(subscription).has_value();
    return is_valid_topic_filter(subscription);
}

size_t topic_levels(std::string_view topic) {
    return 1 + static_cast<size_t>(std::count(topic.begin(), topic.end(), '/'));
}

}  // namespace trestle
