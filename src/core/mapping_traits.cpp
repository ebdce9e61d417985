// What can be said about a Mapping as a pattern: filter, prefix, specificity, overlap.
#include <algorithm>

#include "core/mapping.h"
#include "core/mapping_plan.h"

namespace trestle {
namespace {

/// Literal 3, constrained capture 2, capture 1, rest 0.
int rank(const MappingPlan& plan, const PlanLevel& level) {
    if (level.capture == kNoCapture) return 3;
    const PlanCapture& capture = plan.captures[level.capture];
    if (capture.is_rest) return 0;
    return capture.constraints.empty() ? 1 : 2;
}

bool is_rest(const MappingPlan& plan, const PlanLevel& level) {
    return level.capture != kNoCapture && plan.captures[level.capture].is_rest;
}

/// Whether one level can match both; captures with captures always can.
bool levels_meet(const MappingPlan& a, const PlanLevel& x, const MappingPlan& b,
                 const PlanLevel& y) {
    const bool x_is_literal = x.capture == kNoCapture;
    const bool y_is_literal = y.capture == kNoCapture;
    if (x_is_literal && y_is_literal) return x.literal == y.literal;
    if (x_is_literal) return b.captures[y.capture].admits(x.literal);
    if (y_is_literal) return a.captures[x.capture].admits(y.literal);
    return true;
}

/// A key template as a pattern of bytes and of "any bytes".
struct KeyPattern {
    std::string bytes;
    std::vector<bool> is_any;  // beside bytes: this one stands for any bytes, or none

    explicit KeyPattern(const MappingPlan& plan) {
        for (const PlanPiece& piece : plan.pieces) {
            const bool any = piece.capture != kNoCapture;
            const std::string& text = any ? std::string(1, '*') : piece.literal;
            bytes += text;
            is_any.resize(bytes.size(), any);
        }
    }
};

/// Whether some key matches both patterns: row by row over b, for each prefix of a.
bool patterns_meet(const KeyPattern& a, const KeyPattern& b) {
    const size_t columns = b.bytes.size() + 1;
    std::vector<bool> above(columns);
    std::vector<bool> row(columns);
    for (size_t i = 0; i <= a.bytes.size(); ++i) {
        const bool a_is_any = i > 0 && a.is_any[i - 1];
        for (size_t j = 0; j < columns; ++j) {
            const bool b_is_any = j > 0 && b.is_any[j - 1];
            bool meets = i == 0 && j == 0;
            if (i > 0 && (a_is_any || b_is_any)) meets = meets || above[j];
            if (j > 0 && (a_is_any || b_is_any)) meets = meets || row[j - 1];
            if (i > 0 && j > 0 && !a_is_any && !b_is_any) {
                meets = above[j - 1] && a.bytes[i - 1] == b.bytes[j - 1];
            }
            row[j] = meets;
        }
        std::swap(above, row);
    }
    return above[columns - 1];
}

}  // namespace

std::string Mapping::mqtt_filter() const {
    std::string filter;
    bool is_first = true;
    for (const PlanLevel& level : plan_->levels) {
        if (!is_first) filter += '/';
        is_first = false;
        if (level.capture == kNoCapture) {
            filter += level.literal;
        } else {
            filter += is_rest(*plan_, level) ? '#' : '+';
        }
    }
    return filter;
}

std::string Mapping::sample_topic() const {
    std::string topic = mqtt_filter();
    std::ranges::replace(topic, '+', 'x');
    std::ranges::replace(topic, '#', 'x');
    return topic;
}

std::string Mapping::zmq_prefix() const {
    const bool has_head = !plan_->pieces.empty() && plan_->pieces.front().capture == kNoCapture;
    return has_head ? plan_->pieces.front().literal : std::string();
}

bool Mapping::has_captures() const { return !plan_->captures.empty(); }

bool Mapping::key_is_prefix_ambiguous() const {
    if (plan_->pieces.empty()) return true;
    const PlanPiece& last = plan_->pieces.back();
    if (last.capture != kNoCapture) return true;
    const auto byte = static_cast<unsigned char>(last.literal.back());
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '_' || byte == '-' || byte >= 0x80;
}

std::strong_ordering Mapping::compare_specificity(const Mapping& other) const {
    const size_t common = std::min(plan_->levels.size(), other.plan_->levels.size());
    for (size_t i = 0; i < common; ++i) {
        const auto order =
            rank(*plan_, plan_->levels[i]) <=> rank(*other.plan_, other.plan_->levels[i]);
        if (order != 0) return order;
    }
    return plan_->levels.size() <=> other.plan_->levels.size();
}

bool Mapping::topics_overlap(const Mapping& other) const {
    const auto& a = plan_->levels;
    const auto& b = other.plan_->levels;
    const auto begins_with_dollar = [](const PlanLevel& level) {
        return level.capture == kNoCapture && level.literal.starts_with('$');
    };
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const bool rest_here = is_rest(*plan_, a[i]) || is_rest(*other.plan_, b[i]);
        if (rest_here) {
            return i > 0 || begins_with_dollar(a[0]) == begins_with_dollar(b[0]);
        }
        if (!levels_meet(*plan_, a[i], *other.plan_, b[i])) return false;
    }
    return a.size() == b.size();
}

bool Mapping::keys_overlap(const Mapping& other) const {
    const KeyPattern a(*plan_);
    const KeyPattern b(*other.plan_);
    constexpr size_t kMostCells = 1 << 20;
    if ((a.bytes.size() + 1) * (b.bytes.size() + 1) > kMostCells) return true;
    return patterns_meet(a, b);
}

}  // namespace trestle
