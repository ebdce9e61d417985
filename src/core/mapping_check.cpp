// Can a rule be used in its directions? Where the answer is no because two topics or two keys
// become one, they are looked for among small samples and named; nothing is named that was not
// tried.
#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/mapping_plan.h"
#include "core/template.h"
#include "core/topic.h"

namespace trestle {
namespace {

using Values = std::vector<std::string>;  // by capture
using Kind = CounterExample::Kind;

class Checker {
 public:
    Checker(const MappingPlan& plan, std::vector<MappingFault>& faults,
            std::vector<MappingFault>& warnings)
        : plan_(plan), faults_(faults), warnings_(warnings) {}

    void run() {
        const bool to_zmq = plan_.spec.to_zmq;
        const bool to_mqtt = plan_.spec.to_mqtt;
        for (size_t i = 0; i < plan_.captures.size(); ++i) {
            const int capture = static_cast<int>(i);
            if (to_zmq) check_source("mqtt", capture, count_levels(capture), count_pieces(capture));
            if (to_mqtt) check_source("zmq", capture, count_pieces(capture), count_levels(capture));
        }
        if (to_mqtt) check_touching();
        for (size_t i = 0; i < plan_.pieces.size(); ++i) {
            if (plan_.pieces[i].capture == kNoCapture) continue;
            if (to_mqtt) check_separator(i);
            if (to_mqtt) check_escape(i);
            if (to_mqtt && to_zmq) warn_about_stops(plan_.pieces[i]);
        }
    }

 private:
    [[nodiscard]] std::string shown(int capture) const {
        const PlanCapture& c = plan_.captures[capture];
        return "{" + c.name + (c.is_rest ? "...}" : "}");
    }

    [[nodiscard]] long count_levels(int capture) const {
        return std::count_if(plan_.levels.begin(), plan_.levels.end(),
                             [&](const auto& level) { return level.capture == capture; });
    }

    [[nodiscard]] long count_pieces(int capture) const {
        return std::count_if(plan_.pieces.begin(), plan_.pieces.end(),
                             [&](const auto& piece) { return piece.capture == capture; });
    }

    void fault(std::string_view side, std::string sentence, std::optional<CounterExample> example,
               const std::string& advice = {}) {
        if (example) {
            const bool topics = example->kind == Kind::topics_share_key;
            sentence += std::string(topics ? ": topics " : ": keys ") + quoted(example->first) +
                        " and " + quoted(example->second) + " would share " +
                        (topics ? "key " : "topic ") + quoted(example->shared);
        }
        if (!advice.empty()) sentence += "; " + advice;
        const bool is_told = std::any_of(faults_.begin(), faults_.end(), [&](const auto& f) {
            return f.side == side && f.sentence == sentence;
        });
        if (!is_told)
            faults_.push_back({std::string(side), std::move(sentence), std::move(example)});
    }

    // --- samples ---------------------------------------------------------------------------------

    /// Small values, and the words of constraints such as `on|off`.
    [[nodiscard]] std::vector<std::string> samples(int capture) const {
        static constexpr std::array<const char*, 27> kSmall = {
            "a",    "b",   "ab",  "abc", "1",    "2",   "12", "123",      "a1",
            "A",    "AB",  "x-1", "0",   "00",   "000", "01", "10",       "aa",
            "0000", "1.5", "a.b", "on",  "true", "_",   ".",  "\xC3\xA4", "a b"};
        const PlanCapture& c = plan_.captures[capture];
        std::vector<std::string> words(kSmall.begin(), kSmall.end());
        if (c.is_optional) words.emplace_back();
        if (c.is_rest) words.insert(words.end(), {"a/b", "b/a", "a/b/c"});
        for (const auto& constraint : c.constraints) {
            std::string word;
            for (const char letter : constraint->pattern() + "|") {
                const bool is_plain =
                    letter == '-' || letter == '_' || (letter >= '0' && letter <= '9') ||
                    (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
                if (is_plain) {
                    word += letter;
                } else if (!word.empty()) {
                    words.push_back(std::exchange(word, {}));
                }
            }
        }
        std::erase_if(words, [&](const std::string& word) { return !c.admits(word); });
        return words;
    }

    /// A value for each capture; empty when a constraint allows none of the samples.
    [[nodiscard]] std::optional<Values> plain_values() const {
        Values values;
        for (size_t i = 0; i < plan_.captures.size(); ++i) {
            const auto words = samples(static_cast<int>(i));
            if (words.empty()) return std::nullopt;
            values.push_back(words.front());
        }
        return values;
    }

    [[nodiscard]] bool allows(const Values& values) const {
        for (size_t i = 0; i < values.size(); ++i) {
            if (!plan_.captures[i].admits(values[i])) return false;
        }
        return true;
    }

    /// `twin`: what the capture `twice` is worth the second time it is written, if it is.
    [[nodiscard]] std::string topic_of(const Values& values, int twice = kNoCapture,
                                       const std::string& twin = {}) const {
        std::string topic;
        bool is_first = true;
        bool was_seen = false;
        for (const PlanLevel& level : plan_.levels) {
            if (!std::exchange(is_first, false)) topic += '/';
            if (level.capture == kNoCapture) {
                topic += level.literal;
            } else {
                const bool is_twin = level.capture == twice && std::exchange(was_seen, true);
                topic += is_twin ? twin : values[level.capture];
            }
        }
        return topic;
    }

    [[nodiscard]] std::string key_of(const Values& values, int twice = kNoCapture,
                                     const std::string& twin = {}) const {
        std::string key;
        bool was_seen = false;
        for (const PlanPiece& piece : plan_.pieces) {
            if (piece.capture == kNoCapture) {
                key += piece.literal;
            } else {
                const bool is_twin = piece.capture == twice && std::exchange(was_seen, true);
                piece.append_value(is_twin ? twin : values[piece.capture], key);
            }
        }
        return key;
    }

    /// The example, if these two really are one.
    [[nodiscard]] std::optional<CounterExample> topics_sharing(const Values& a,
                                                               const Values& b) const {
        if (!allows(a) || !allows(b) || key_of(a) != key_of(b)) return std::nullopt;
        CounterExample example{Kind::topics_share_key, topic_of(a), topic_of(b), key_of(a)};
        if (example.first == example.second || !is_valid_topic_name(example.first) ||
            !is_valid_topic_name(example.second)) {
            return std::nullopt;
        }
        return example;
    }

    [[nodiscard]] std::optional<CounterExample> keys_sharing(const Values& a,
                                                             const Values& b) const {
        if (!allows(a) || !allows(b) || topic_of(a) != topic_of(b)) return std::nullopt;
        CounterExample example{Kind::keys_share_topic, key_of(a), key_of(b), topic_of(a)};
        if (example.first == example.second || !is_valid_topic_name(example.shared)) {
            return std::nullopt;
        }
        return example;
    }

    /// Two values of one capture, all else equal.
    [[nodiscard]] std::optional<std::pair<Values, Values>> two_of(int capture) const {
        const auto plain = plain_values();
        const auto words = samples(capture);
        if (!plain || words.size() < 2) return std::nullopt;
        Values a = *plain;
        Values b = *plain;
        a[capture] = words[0];
        b[capture] = words[1];
        return std::pair(a, b);
    }

    // --- each capture once on the side that is read, and there for the side that is written
    // --------

    void check_source(std::string_view source, int capture, long here, long there) {
        const bool from_mqtt = source == "mqtt";
        const std::string here_name = from_mqtt ? "the topic" : "the key";
        const std::string there_name = from_mqtt ? "the key" : "the topic";
        if (here == 0 && there > 0) {
            const auto two = plan_.is_two_way() ? two_of(capture) : std::nullopt;
            fault(source, shown(capture) + " is in " + there_name + " but not in " + here_name,
                  !two        ? std::nullopt
                  : from_mqtt ? keys_sharing(two->first, two->second)
                              : topics_sharing(two->first, two->second));
        }
        if (here > 1) {
            fault(source, shown(capture) + " is used twice in " + here_name,
                  there == 1 ? twice_example(source, capture) : std::nullopt);
        }
    }

    std::optional<CounterExample> twice_example(std::string_view side, int capture) const {
        const auto two = two_of(capture);
        if (!two) return std::nullopt;
        const auto& [a, b] = *two;
        if (side == "mqtt") {
            return CounterExample{Kind::keys_share_topic, key_of(a), key_of(b),
                                  topic_of(a, capture, b[capture])};
        }
        return CounterExample{Kind::topics_share_key, topic_of(a), topic_of(b),
                              key_of(a, capture, b[capture])};
    }

    // --- where captures end in the key
    // ---------------------------------------------------------------

    void check_touching() {
        for (size_t i = 0; i + 1 < plan_.pieces.size(); ++i) {
            const int a = plan_.pieces[i].capture;
            const int b = plan_.pieces[i + 1].capture;
            if (a == kNoCapture || b == kNoCapture || a == b) continue;
            fault("zmq",
                  "captures " + shown(a) + " and " + shown(b) +
                      " touch, so it cannot be told where one ends",
                  touching_example(a, b), "put a literal between them");
        }
    }

    [[nodiscard]] std::optional<CounterExample> touching_example(int a, int b) const {
        const auto plain = plain_values();
        if (!plain) return std::nullopt;
        std::set<std::string> words = {"abc", "aaa", "123", "111", "000", "a1b2", "aabb", "1a2b"};
        for (const auto& x : samples(a)) {
            for (const auto& y : samples(b)) words.insert(x + y);
        }
        for (const std::string& word : words) {
            std::optional<Values> first;
            for (size_t cut = 0; cut <= word.size(); ++cut) {
                Values values = *plain;
                values[a] = word.substr(0, cut);
                values[b] = word.substr(cut);
                if (!allows(values)) continue;
                if (!first) {
                    first = values;
                } else if (auto example = topics_sharing(*first, values)) {
                    return example;
                }
            }
        }
        return std::nullopt;
    }

    /// The capture after the literal that follows this piece; kNoCapture when there is none.
    [[nodiscard]] int capture_beyond(size_t index) const {
        return index + 2 < plan_.pieces.size() ? plan_.pieces[index + 2].capture : kNoCapture;
    }

    void check_separator(size_t index) {
        const PlanPiece& piece = plan_.pieces[index];
        const PlanCapture& capture = plan_.captures[piece.capture];
        if (!capture.is_rest) return;
        const std::string name = shown(piece.capture);
        if (piece.has_separator && piece.separator.empty()) {
            fault("zmq", name + " loses the bounds of its levels when '/' becomes nothing",
                  rest_example(piece.capture, "a/b", "ab"), "name a separator after '/='");
            return;
        }
        if (!plan_.is_two_way()) return;
        const std::string separator = piece.has_separator ? piece.separator : "/";
        if (piece.is_escaped && !piece.has_separator) return;  // '/' is escaped where need be
        if (!piece.has_stop || separator.find(piece.stop) == std::string::npos) return;
        fault("zmq",
              name + " has " + quoted(separator) + " between its levels, and " +
                  quoted(std::string(1, piece.stop)) + " starts the literal after it",
              beyond_example(index, separator), "use another separator or literal");
    }

    [[nodiscard]] std::optional<CounterExample> rest_example(int rest, const std::string& one,
                                                             const std::string& other) const {
        const auto plain = plain_values();
        if (!plain) return std::nullopt;
        Values a = *plain;
        Values b = *plain;
        a[rest] = one;
        b[rest] = other;
        return topics_sharing(a, b);
    }

    /// One topic whose rest holds the literal's text, and one whose next capture does.
    [[nodiscard]] std::optional<CounterExample> beyond_example(size_t index,
                                                               const std::string& separator) const {
        const int next = capture_beyond(index);
        const auto plain = plain_values();
        if (next == kNoCapture || !plain) return std::nullopt;
        const std::string& literal = plan_.pieces[index + 1].literal;
        std::string levels = literal + "b";
        for (size_t at = 0; (at = levels.find(separator, at)) != std::string::npos; ++at) {
            levels.replace(at, separator.size(), "/");
        }
        const int rest = plan_.pieces[index].capture;
        Values a = *plain;
        Values b = *plain;
        a[rest] = "a" + levels;
        a[next] = "c";
        b[rest] = "a";
        std::string beyond;
        plan_.pieces[index + 2].append_decoded("b" + literal + "c", false, beyond);
        b[next] = beyond;
        return topics_sharing(a, b);
    }

    void check_escape(size_t index) {
        const PlanPiece& piece = plan_.pieces[index];
        if (!piece.is_escaped) return;
        const std::string name = shown(piece.capture);
        if (piece.separator.find('%') != std::string::npos) {
            fault("zmq", name + " cannot have '%' between its levels: it starts every escape",
                  rest_example(piece.capture, "a/25b", "a%b"), "use another separator");
        }
        if (piece.has_stop && piece.stop == '%') {
            fault("zmq", "'%' after " + name + " would be taken for an escape",
                  percent_example(index), "use another literal");
        }
    }

    [[nodiscard]] std::optional<CounterExample> percent_example(size_t index) const {
        const int next = capture_beyond(index);
        const auto plain = plain_values();
        const std::string& literal = plan_.pieces[index + 1].literal;
        const std::string tail = "%25" + literal + "b";
        if (next == kNoCapture || !plain || !tail.starts_with(literal)) return std::nullopt;
        Values a = *plain;
        Values b = *plain;
        a[plan_.pieces[index].capture] = "a%";
        a[next] = "b";
        b[plan_.pieces[index].capture] = "a";
        std::string beyond;
        plan_.pieces[index + 2].append_decoded(tail.substr(literal.size()), false, beyond);
        b[next] = beyond;
        return topics_sharing(a, b);
    }

    // --- what a two-way rule leaves out
    // ----------------------------------------------------------------

    void warn_about_stops(const PlanPiece& piece) {
        const PlanCapture& capture = plan_.captures[piece.capture];
        if (piece.is_escaped) return;
        if (piece.has_stop && can_hold(capture, piece.stop)) {
            warn(piece, quoted(std::string(1, piece.stop)) + ", which starts the literal after it");
        }
        if (!piece.separator.empty() && can_hold(capture, piece.separator.front())) {
            warn(piece,
                 quoted(piece.separator.substr(0, 1)) + ", which separates levels in the key");
        }
    }

    void warn(const PlanPiece& piece, const std::string& what) {
        const PlanCapture& capture = plan_.captures[piece.capture];
        const std::string dots = capture.is_rest ? "..." : "";
        const std::string filter = piece.has_separator ? "|/=" + piece.separator : "";
        warnings_.push_back({"zmq",
                             "a topic whose " + shown(piece.capture) + " holds " + what +
                                 ", does not match this two-way rule; {" + capture.name + dots +
                                 filter + "|pct} escapes it",
                             std::nullopt});
    }

    /// Whether a value can hold the byte, as far as samples tell.
    static bool can_hold(const PlanCapture& capture, char byte) {
        if (byte == '\0' || byte == '+' || byte == '#' || byte == '/') return false;
        if (capture.constraints.empty()) return true;
        const std::string c(1, byte);
        const std::array<std::string, 8> words = {
            c,       "a" + c,       "a" + c + "a",          "1" + c + "1", "aa" + c + "aa",
            c + "1", "A" + c + "A", "1" + c + "1" + c + "1"};
        return std::any_of(words.begin(), words.end(),
                           [&](const std::string& word) { return capture.admits(word); });
    }

    const MappingPlan& plan_;
    std::vector<MappingFault>& faults_;
    std::vector<MappingFault>& warnings_;
};

}  // namespace

void check_plan(const MappingPlan& plan, std::vector<MappingFault>& faults,
                std::vector<MappingFault>& warnings) {
    Checker(plan, faults, warnings).run();
}

}  // namespace trestle
