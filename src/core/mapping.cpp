#include "core/mapping.h"

#include <array>
#include <utility>

#include "core/mapping_plan.h"
#include "core/template.h"
#include "core/topic.h"
#include "core/utf8.h"

namespace trestle {
namespace {

/// Where each capture's text lies. Not initialised: a match fills in what is read afterwards.
class Spans {
 public:
    void set(int capture, std::string_view text) { all_[capture] = {text.data(), text.size()}; }
    std::string_view operator[](int capture) const {
        return {all_[capture].data, all_[capture].size};
    }

 private:
    struct Span {
        const char* data;
        size_t size;
    };
    std::array<Span, kMaxCaptures> all_;
};

constexpr auto kNowhere = std::string_view::npos;

/// Tells why something did not match, for those who ask; nobody does on the hot path.
class Reason {
 public:
    explicit Reason(std::string* sentence = nullptr) : sentence_(sentence) {}
    template <typename MakeSentence>
    bool miss(MakeSentence make) const {
        if (sentence_ != nullptr) *sentence_ = make();
        return false;
    }

 private:
    std::string* sentence_;
};

std::string why_refused(const PlanCapture& capture, std::string_view value) {
    const std::string name = "capture {" + capture.name + "}";
    if (value.empty()) return name + " would be empty; {" + capture.name + "?} may be";
    if (capture.is_level && value.find('/') != kNowhere) {
        return name + " would be " + quoted(value) + ", which is more than one level";
    }
    if (capture.starts_topic && value.front() == '$') {
        return name + " would start the topic with '$'";
    }
    return name + " would be " + quoted(value) + ", which its constraint does not allow";
}

std::string why_not_held(const PlanCapture& capture, const PlanPiece& piece,
                         std::string_view value) {
    const bool is_stop = piece.has_stop && value.find(piece.stop) != kNowhere;
    const std::string byte = is_stop ? std::string(1, piece.stop) : piece.separator.substr(0, 1);
    return "capture {" + capture.name + "} holds " + quoted(byte) +
           (is_stop ? ", which starts the literal after it in the key"
                    : ", which separates levels in the key");
}

/// Cuts the topic into captures.
bool match_topic(const MappingPlan& plan, std::string_view topic, Spans& spans, Reason reason) {
    if (!is_valid_topic_name(topic)) {
        return reason.miss([&] { return quoted(topic) + " is not a valid topic name"; });
    }
    LevelReader reader(topic);
    std::string_view level;
    size_t number = 0;
    for (const PlanLevel& want : plan.levels) {
        ++number;
        const size_t left = topic.size() - reader.rest().size();
        if (!reader.next(level)) {
            return reason.miss([&] {
                const PlanLevel& last = plan.levels.back();
                const bool is_open =
                    last.capture != kNoCapture && plan.captures[last.capture].is_rest;
                return "the topic has " + std::to_string(number - 1) +
                       " levels, the template has " + (is_open ? "at least " : "") +
                       std::to_string(plan.levels.size());
            });
        }
        if (want.capture == kNoCapture) {
            if (level == want.literal) continue;
            return reason.miss([&] {
                return "level " + std::to_string(number) + " is " + quoted(level) +
                       ", the template has " + quoted(want.literal) + " there";
            });
        }
        const PlanCapture& capture = plan.captures[want.capture];
        if (capture.is_rest) level = topic.substr(left);
        if (!capture.admits(level)) {
            return reason.miss([&] { return why_refused(capture, level); });
        }
        spans.set(want.capture, level);
        if (capture.is_rest) return true;
    }
    if (reader.at_end()) return true;
    return reason.miss([&] {
        return "the topic has " + std::to_string(topic_levels(topic)) +
               " levels, the template has " + std::to_string(plan.levels.size());
    });
}

bool write_key(const MappingPlan& plan, const Spans& spans, std::string& key, Reason reason) {
    for (const PlanPiece& piece : plan.pieces) {
        if (piece.capture == kNoCapture) {
            key += piece.literal;
            continue;
        }
        const std::string_view value = spans[piece.capture];
        if (plan.spec.to_mqtt && !piece.can_hold(value)) {
            return reason.miss(
                [&] { return why_not_held(plan.captures[piece.capture], piece, value); });
        }
        piece.append_value(value, key);
    }
    return true;
}

/// Where the first byte of the next literal ends a capture that starts at `from`. Escapes are taken
/// whole: their digits end nothing.
size_t find_stop(const PlanPiece& piece, std::string_view key, size_t from) {
    if (!piece.is_escaped) return key.find(piece.stop, from);
    while (from < key.size() && key[from] != piece.stop) from += key[from] == '%' ? 3 : 1;
    return from < key.size() ? from : kNowhere;
}

/// The same for one-way rules: the shortest capture before the whole literal; a last literal ends
/// the key.
size_t find_literal(const MappingPlan& plan, size_t index, std::string_view key, size_t from) {
    const PlanPiece& piece = plan.pieces[index];
    const std::string_view literal = plan.pieces[index + 1].literal;
    if (index + 2 == plan.pieces.size()) {
        return key.size() - from >= literal.size() && key.ends_with(literal)
                   ? key.size() - literal.size()
                   : kNowhere;
    }
    const PlanCapture& capture = plan.captures[piece.capture];
    const bool may_be_empty = capture.is_optional || capture.is_rest;
    if (!piece.is_escaped) return key.find(literal, from + (may_be_empty ? 0 : 1));
    for (size_t at = from; at < key.size(); at += key[at] == '%' ? 3 : 1) {
        if ((may_be_empty || at > from) && key.substr(at).starts_with(literal)) return at;
    }
    return kNowhere;
}

/// Cuts the key into captures as they are written there.
bool match_key(const MappingPlan& plan, std::string_view key, Spans& spans, Reason reason) {
    size_t at = 0;
    for (size_t i = 0; i < plan.pieces.size(); ++i) {
        const PlanPiece& piece = plan.pieces[i];
        if (piece.capture == kNoCapture) {
            if (key.substr(at).starts_with(piece.literal)) {
                at += piece.literal.size();
                continue;
            }
            return reason.miss([&] {
                return "the key has " + quoted(key.substr(at, piece.literal.size())) + " at byte " +
                       std::to_string(at) + ", the template has " + quoted(piece.literal) +
                       " there";
            });
        }
        size_t end = key.size();
        if (piece.has_stop) {
            end = plan.spec.to_zmq ? find_stop(piece, key, at) : find_literal(plan, i, key, at);
        }
        if (end == kNowhere) {
            return reason.miss([&] {
                return "after capture {" + plan.captures[piece.capture].name +
                       "} the template has " + quoted(plan.pieces[i + 1].literal) +
                       ", the key does not";
            });
        }
        spans.set(piece.capture, key.substr(at, end - at));
        at = end;
    }
    if (at == key.size()) return true;
    return reason.miss([&] { return "the key goes on with " + quoted(key.substr(at)); });
}

/// Appends a capture's value to `out` and checks it there.
bool append_checked(const MappingPlan& plan, const PlanPiece& piece, std::string_view written,
                    std::string& out, Reason reason) {
    const PlanCapture& capture = plan.captures[piece.capture];
    const size_t start = out.size();
    if (!piece.append_decoded(written, plan.spec.to_zmq, out)) {
        return reason.miss([&] {
            return "capture {" + capture.name + "} is " + quoted(written) +
                   " in the key, which is not how this rule writes any value";
        });
    }
    const std::string_view value = std::string_view(out).substr(start);
    if (capture.admits(value)) return true;
    return reason.miss([&] { return why_refused(capture, value); });
}

bool write_topic(const MappingPlan& plan, const Spans& spans, std::string& topic, Reason reason) {
    for (size_t i = 0; i < plan.levels.size(); ++i) {
        if (i > 0) topic += '/';
        const PlanLevel& level = plan.levels[i];
        if (level.capture == kNoCapture) {
            topic += level.literal;
            continue;
        }
        const PlanPiece& piece = plan.pieces[plan.captures[level.capture].piece];
        if (!append_checked(plan, piece, spans[level.capture], topic, reason)) return false;
    }
    for (const PlanCapture& capture : plan.captures) {
        if (capture.is_in_topic) continue;
        std::string value;
        const PlanPiece& piece = plan.pieces[capture.piece];
        if (!append_checked(plan, piece, spans[piece.capture], value, reason)) return false;
    }
    if (is_valid_topic_name(topic) && is_valid_mqtt_utf8(topic)) return true;
    return reason.miss([&] {
        return "the topic would be " + quoted(topic) +
               ", which is not a valid one (UTF-8, no '+', '#' or U+0000, 1 to 65535 bytes)";
    });
}

bool topic_from(const MappingPlan& plan, std::string_view key, std::string& topic, Reason reason) {
    topic.clear();
    Spans spans;
    return match_key(plan, key, spans, reason) && write_topic(plan, spans, topic, reason);
}

bool key_from(const MappingPlan& plan, std::string_view topic, std::string& key, Reason reason) {
    key.clear();
    Spans spans;
    return match_topic(plan, topic, spans, reason) && write_key(plan, spans, key, reason);
}

}  // namespace

Mapping::Mapping(std::shared_ptr<const MappingPlan> plan) : plan_(std::move(plan)) {}

bool Mapping::to_zmq(std::string_view topic, std::string& key) const {
    return plan_->spec.to_zmq && key_from(*plan_, topic, key, Reason());
}

bool Mapping::to_mqtt(std::string_view key, std::string& topic) const {
    return plan_->spec.to_mqtt && topic_from(*plan_, key, topic, Reason());
}

bool Mapping::matches_topic(std::string_view topic) const {
    Spans spans;
    return match_topic(*plan_, topic, spans, Reason());
}

std::string Mapping::explain_topic_miss(std::string_view topic) const {
    if (!plan_->spec.to_zmq) return "the rule has no way from MQTT to ZeroMQ";
    std::string why;
    std::string key;
    key_from(*plan_, topic, key, Reason(&why));
    return why;
}

std::string Mapping::explain_key_miss(std::string_view key) const {
    if (!plan_->spec.to_mqtt) return "the rule has no way from ZeroMQ to MQTT";
    std::string why;
    std::string topic;
    topic_from(*plan_, key, topic, Reason(&why));
    return why;
}

const MappingSpec& Mapping::spec() const { return plan_->spec; }

}  // namespace trestle
