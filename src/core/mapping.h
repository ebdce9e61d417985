// One routing rule's two-way map between MQTT topics and ZeroMQ keys, compiled from its templates.
//
// A Mapping is immutable and cheap to copy (copies share one plan); any thread may use it. Matching
// never throws and never allocates when the output string has room, except for a constrained
// capture (RE2 keeps a cache of its own). What is not invertible is refused while compiling, with
// two topics or two keys that could not be told apart.
//
// Two-way rules keep to this: a capture never holds the first byte of the literal that follows it
// on either side (unless |pct escapes it), so one topic has one key and the other way round.
// One-way rules take the shortest text for each capture, from left to right.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trestle {

struct MappingPlan;

struct MappingSpec {
    std::string mqtt;
    std::string zmq;
    bool to_zmq = false;
    bool to_mqtt = false;
};

/// Two things that become one, which is why a rule cannot be turned around.
struct CounterExample {
    enum class Kind { topics_share_key, keys_share_topic };
    Kind kind = Kind::topics_share_key;
    std::string first;
    std::string second;
    std::string shared;
};

struct MappingFault {
    std::string side;  // "mqtt" or "zmq": the template to change
    std::string sentence;
    std::optional<CounterExample> example;
};

class Mapping {
 public:
    /// Empty when `faults` has grown; all of them are told. `warnings` do not prevent anything.
    static std::optional<Mapping> compile(const MappingSpec& spec,
                                          std::vector<MappingFault>& faults,
                                          std::vector<MappingFault>& warnings);

    /// False when the topic does not match, or the rule has no way to ZeroMQ; `key` is overwritten
    /// either way.
    bool to_zmq(std::string_view topic, std::string& key) const;

    /// False when the key does not match, when the topic would not be a valid one (UTF-8,
    /// wildcards, U+0000, length, '$' from a capture), or the rule has no way to MQTT.
    bool to_mqtt(std::string_view key, std::string& topic) const;

    /// Whether the topic matches the MQTT template, whichever ways the rule is used.
    [[nodiscard]] bool matches_topic(std::string_view topic) const;

    /// Covers every topic that the rule takes; matching is still to be tried: `a/{rest...}` has the
    /// filter `a/#`, which takes `a` too.
    [[nodiscard]] std::string mqtt_filter() const;
    /// A topic of mqtt_filter(), with "x" for what captures take; their constraints may refuse it.
    [[nodiscard]] std::string sample_topic() const;
    /// The longest literal head of the key.
    [[nodiscard]] std::string zmq_prefix() const;
    [[nodiscard]] bool has_captures() const;
    /// Whether the key, taken as a prefix by a subscriber, also matches longer keys: it ends in a
    /// capture or in a literal that is no terminator (`sensor.1` is a prefix of `sensor.10`).
    [[nodiscard]] bool key_is_prefix_ambiguous() const;

    /// Greater is more specific: level by level of the topic, literal > constrained capture >
    /// capture > rest.
    [[nodiscard]] std::strong_ordering compare_specificity(const Mapping& other) const;

    /// Whether a topic (a key) can match both rules. When in doubt (two constraints), yes.
    [[nodiscard]] bool topics_overlap(const Mapping& other) const;
    [[nodiscard]] bool keys_overlap(const Mapping& other) const;

    /// One sentence: why it does not match; empty when it does. Not for the hot path.
    [[nodiscard]] std::string explain_topic_miss(std::string_view topic) const;
    [[nodiscard]] std::string explain_key_miss(std::string_view key) const;

    [[nodiscard]] const MappingSpec& spec() const;

 private:
    explicit Mapping(std::shared_ptr<const MappingPlan> plan);
    std::shared_ptr<const MappingPlan> plan_;
};

}  // namespace trestle
