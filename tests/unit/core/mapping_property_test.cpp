// For random rules: those that compile both ways are the identity there and back, over topics and
// over keys; those that are refused with a counter-example really are ambiguous. What a rule means
// is told a second time here, slowly and plainly (related()), so that the two can disagree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "core/mapping.h"
#include "core/topic.h"
#include "core/utf8.h"

namespace trestle {
namespace {

constexpr uint64_t kSeed = 20260721;
constexpr int kRules = 25'000;
constexpr int kTriesPerRule = 6;

struct Written {
    std::string literal;
    int capture = -1;
    bool is_escaped = false;
    bool has_separator = false;
    std::string separator;
};

/// A rule as its parts; the templates are printed from it.
struct Rule {
    struct Capture {
        bool is_rest = false;
        bool is_optional = false;
        bool is_digits = false;
    };
    std::vector<Capture> captures;
    std::vector<Written> levels;
    std::vector<Written> pieces;
};

class Generator {
 public:
    explicit Generator(uint64_t seed) : random_(seed) {}

    size_t below(size_t limit) { return random_() % limit; }
    bool once_in(size_t n) { return below(n) == 0; }

    template <typename T>
    const T& one_of(const std::vector<T>& all) {
        return all[below(all.size())];
    }

    std::string literal(const std::vector<std::string>& words, size_t most) {
        std::string out;
        for (size_t i = 1 + below(most); i > 0; --i) out += one_of(words);
        return out;
    }

    Rule rule() {
        static const std::vector<std::string> kLevelWords = {"a", "b", ".",       "x",
                                                             "",  "$", "\xC3\xA4"};
        static const std::vector<std::string> kKeyWords = {
            ".", ":", "%", "2", "/", "a", "-", "5", "::", "\xC3", "E", std::string(1, '\0')};
        Rule out;
        const size_t levels = 1 + below(5);
        for (size_t i = 0; i < levels; ++i) {
            Written level;
            if (once_in(2)) {
                level.literal = one_of(kLevelWords);
            } else {
                level.capture = static_cast<int>(out.captures.size());
                Rule::Capture capture;
                capture.is_rest = i + 1 == levels && once_in(2);
                capture.is_optional = !capture.is_rest && once_in(4);
                capture.is_digits = !capture.is_rest && once_in(6);
                out.captures.push_back(capture);
            }
            out.levels.push_back(level);
        }
        if (out.levels.size() == 1 && out.captures.empty()) out.levels[0].literal = "a";
        std::vector<int> order;
        for (size_t i = 0; i < out.captures.size(); ++i) order.push_back(static_cast<int>(i));
        std::shuffle(order.begin(), order.end(), random_);
        distort(out, order);
        const auto maybe_literal = [&](size_t chance) {
            if (once_in(chance)) return;
            std::string text = literal(kKeyWords, 2);

            out.pieces.push_back({text, -1, false, false, {}});
        };
        maybe_literal(3);
        for (size_t i = 0; i < order.size(); ++i) {
            if (i > 0) maybe_literal(12);
            out.pieces.push_back(piece(out, order[i]));
        }
        maybe_literal(2);
        merge(out.pieces);
        return out;
    }

    /// Mostly small and nasty.
    std::string value(const Rule::Capture& capture) {
        static const std::vector<std::string> kWords = {".", ":", "%",  "2", "5",        "E", "a",
                                                        "b", "-", "%2", "E", "\xC3\xA4", "A", "0"};
        if (capture.is_digits && !once_in(20)) return literal({"0", "2", "5"}, 3);
        if (once_in(8)) return {};
        std::string out = literal(kWords, 4);
        if (capture.is_rest) {
            while (once_in(2)) out += "/" + (once_in(4) ? "" : literal(kWords, 3));
        }
        if (once_in(60)) out.insert(0, "$");
        return out;
    }

    std::string mutate(std::string text) {
        static const std::vector<std::string> kWords = {
            ".", ":", "%", "2", "/", "a", "+", std::string(1, '\0'), "\xC3", "%2E", "%41", "$"};
        const size_t at = below(text.size() + 1);
        switch (below(3)) {
            case 0:
                return text.insert(at, one_of(kWords));
            case 1:
                return text.erase(at, 1);
            default:
                return text.replace(at, 1, one_of(kWords));
        }
    }

 private:
    /// Now and then a capture is missing or there twice.
    void distort(const Rule& rule, std::vector<int>& order) {
        if (order.empty()) return;
        if (once_in(25)) order.pop_back();
        if (once_in(25)) order.push_back(static_cast<int>(below(rule.captures.size())));
    }

    Written piece(const Rule& rule, int capture) {
        static const std::vector<std::string> kSeparators = {".",  ":",  "::", "%",
                                                             "//", ".:", "",   "2"};
        Written out;
        out.capture = capture;
        out.is_escaped = once_in(3);
        out.has_separator = rule.captures[capture].is_rest && once_in(2);
        if (out.has_separator) out.separator = one_of(kSeparators);
        return out;
    }

    static void merge(std::vector<Written>& pieces) {
        for (size_t i = 1; i < pieces.size();) {
            if (pieces[i].capture < 0 && pieces[i - 1].capture < 0) {
                pieces[i - 1].literal += pieces[i].literal;
                pieces.erase(pieces.begin() + static_cast<long>(i));
            } else {
                ++i;
            }
        }
    }

    std::mt19937_64 random_;
};

std::string printed(const Rule& rule, int index, bool in_key) {
    const Rule::Capture& capture = rule.captures[index];
    std::string out = "{c" + std::to_string(index);
    if (capture.is_rest) out += "...";
    if (capture.is_optional) out += "?";
    if (capture.is_digits && !in_key) out += ":[0-9]+";
    return out;
}

std::string mqtt_template(const Rule& rule) {
    std::string out;
    for (size_t i = 0; i < rule.levels.size(); ++i) {
        if (i > 0) out += '/';
        const Written& level = rule.levels[i];
        out += level.capture < 0 ? level.literal : printed(rule, level.capture, false) + "}";
    }
    return out;
}

std::string zmq_template(const Rule& rule) {
    std::string out;
    for (const Written& piece : rule.pieces) {
        if (piece.capture < 0) {
            for (const char c : piece.literal) out += c == '\0' ? "\\0" : std::string(1, c);
            continue;
        }
        out += printed(rule, piece.capture, true);
        if (piece.has_separator) out += "|/=" + piece.separator;
        if (piece.is_escaped) out += "|pct";
        out += '}';
    }
    return out;
}

// --- what a rule means, told again
// ------------------------------------------------------------------

bool is_allowed(const Rule::Capture& capture, const std::string& value) {
    if (value.empty()) return capture.is_optional || capture.is_rest;
    if (!capture.is_rest && value.find('/') != std::string::npos) return false;
    return !capture.is_digits || value.find_first_not_of("0123456789") == std::string::npos;
}

std::string encoded(const Rule& rule, size_t index, const std::string& value) {
    const Written& piece = rule.pieces[index];
    std::string special = "%";
    if (index + 1 < rule.pieces.size() && rule.pieces[index + 1].capture < 0) {
        special += rule.pieces[index + 1].literal[0];
    }
    if (!piece.separator.empty()) special += piece.separator[0];
    std::string out;
    for (const char c : value) {
        char escape[4];
        std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned char>(c));
        if (c == '/' && piece.has_separator) {
            out += piece.separator;
        } else if (piece.is_escaped && special.find(c) != std::string::npos) {
            out += escape;
        } else {
            out += c;
        }
    }
    return out;
}

/// The values by level; false when the topic is not the rule's.
bool cut(const Rule& rule, const std::string& topic, std::vector<std::string>& values) {
    if (!is_valid_topic_name(topic)) return false;
    values.assign(rule.captures.size(), {});
    std::string left = topic;
    for (size_t i = 0; i < rule.levels.size(); ++i) {
        const Written& level = rule.levels[i];
        const bool is_last = i + 1 == rule.levels.size();
        const bool is_rest = level.capture >= 0 && rule.captures[level.capture].is_rest;
        const size_t slash = is_rest ? std::string::npos : left.find('/');
        if (is_last != (slash == std::string::npos)) return false;
        const std::string text = left.substr(0, slash);
        if (!is_last) left = left.substr(slash + 1);
        if (level.capture < 0) {
            if (text != level.literal) return false;
            continue;
        }
        if (!is_allowed(rule.captures[level.capture], text)) return false;
        if (i == 0 && !text.empty() && text[0] == '$') return false;
        values[level.capture] = text;
    }
    return true;
}

/// Whether the pieces from `index` on can be `key`. Of a capture written twice only `chosen`
/// counts.
bool pieces_are(const Rule& rule, const std::vector<std::string>& values, size_t index,
                const std::string& key, size_t chosen) {
    if (index == rule.pieces.size()) return key.empty();
    const Written& piece = rule.pieces[index];
    const auto goes_on = [&](size_t used) {
        return pieces_are(rule, values, index + 1, key.substr(used), chosen);
    };
    const bool is_twice = piece.capture >= 0 &&
                          std::count_if(rule.pieces.begin(), rule.pieces.end(),
                                        [&](auto& p) { return p.capture == piece.capture; }) > 1;
    if (is_twice && index != chosen) {
        for (size_t used = 0; used <= key.size(); ++used) {
            if (goes_on(used)) return true;
        }
        return false;
    }
    const std::string text =
        piece.capture < 0 ? piece.literal : encoded(rule, index, values[piece.capture]);
    return key.starts_with(text) && goes_on(text.size());
}

bool related(const Rule& rule, const std::string& topic, const std::string& key) {
    std::vector<std::string> values;
    if (!cut(rule, topic, values)) return false;
    for (size_t chosen = 0; chosen <= rule.pieces.size(); ++chosen) {
        if (pieces_are(rule, values, 0, key, chosen)) return true;
    }
    return false;
}

// --- the properties
// ------------------------------------------------------------------------------------

struct Tally {
    int compiled = 0;
    int refused = 0;
    int examples = 0;
    int topics_mapped = 0;
    int keys_mapped = 0;
    int keys_refused = 0;
};

std::string topic_from(const Rule& rule, const std::vector<std::string>& values) {
    std::string topic;
    for (size_t i = 0; i < rule.levels.size(); ++i) {
        if (i > 0) topic += '/';
        const Written& level = rule.levels[i];
        topic += level.capture < 0 ? level.literal : values[level.capture];
    }
    return topic;
}

void check_topic(const Rule& rule, const Mapping& mapping, const std::string& topic, Tally& tally) {
    std::string key;
    std::string back;
    if (!mapping.to_zmq(topic, key)) {
        ASSERT_NE(mapping.explain_topic_miss(topic), "");
        return;
    }
    ++tally.topics_mapped;
    ASSERT_EQ(mapping.explain_topic_miss(topic), "");
    ASSERT_TRUE(related(rule, topic, key)) << topic << " -> " << key;
    ASSERT_TRUE(filter_matches(mapping.mqtt_filter(), topic)) << topic;
    ASSERT_TRUE(key.starts_with(mapping.zmq_prefix())) << key;
    ASSERT_TRUE(mapping.to_mqtt(key, back))
        << topic << " -> " << key << ": " << mapping.explain_key_miss(key);
    ASSERT_EQ(back, topic) << key;
}

void check_key(const Rule& rule, const Mapping& mapping, const std::string& key, Tally& tally) {
    std::string topic;
    std::string back;
    if (!mapping.to_mqtt(key, topic)) {
        ++tally.keys_refused;
        ASSERT_NE(mapping.explain_key_miss(key), "");
        return;
    }
    ++tally.keys_mapped;
    ASSERT_TRUE(is_valid_topic_name(topic) && is_valid_mqtt_utf8(topic)) << key << " -> " << topic;
    ASSERT_TRUE(related(rule, topic, key)) << key << " -> " << topic;
    ASSERT_TRUE(mapping.to_zmq(topic, back))
        << key << " -> " << topic << ": " << mapping.explain_topic_miss(topic);
    ASSERT_EQ(back, key) << topic;
}

/// Values that no literal of the generator shares a byte with must always get through.
void check_plain(const Rule& rule, const Mapping& mapping) {
    std::vector<std::string> values;
    for (size_t i = 0; i < rule.captures.size(); ++i) {
        const Rule::Capture& capture = rule.captures[i];
        values.push_back(capture.is_digits ? "7" : capture.is_rest ? "z//zz/" : "zz");
    }
    std::string key;
    const std::string topic = topic_from(rule, values);
    ASSERT_TRUE(mapping.to_zmq(topic, key)) << topic << ": " << mapping.explain_topic_miss(topic);
}

void check_two_way(Generator& generate, const Rule& rule, const Mapping& mapping, Tally& tally) {
    ASSERT_NO_FATAL_FAILURE(check_plain(rule, mapping));
    for (int i = 0; i < kTriesPerRule; ++i) {
        std::vector<std::string> values;
        for (const auto& capture : rule.captures) values.push_back(generate.value(capture));
        std::string topic = topic_from(rule, values);
        if (generate.once_in(5)) topic = generate.mutate(topic);
        if (is_valid_mqtt_utf8(topic)) {
            ASSERT_NO_FATAL_FAILURE(check_topic(rule, mapping, topic, tally));
        }
        std::string key;
        const bool is_raw = generate.once_in(2);
        for (size_t p = 0; p < rule.pieces.size(); ++p) {
            const Written& piece = rule.pieces[p];
            if (piece.capture < 0) {
                key += piece.literal;
            } else {
                key += is_raw ? values[piece.capture] : encoded(rule, p, values[piece.capture]);
            }
        }
        ASSERT_NO_FATAL_FAILURE(check_key(rule, mapping, key, tally));
        ASSERT_NO_FATAL_FAILURE(check_key(rule, mapping, generate.mutate(key), tally));
    }
}

void check_refused(const Rule& rule, const std::vector<MappingFault>& faults, Tally& tally) {
    for (const MappingFault& fault : faults) {
        if (!fault.example) continue;
        ++tally.examples;
        const CounterExample& example = *fault.example;
        ASSERT_NE(example.first, example.second) << fault.sentence;
        if (example.kind == CounterExample::Kind::topics_share_key) {
            ASSERT_TRUE(related(rule, example.first, example.shared)) << fault.sentence;
            ASSERT_TRUE(related(rule, example.second, example.shared)) << fault.sentence;
        } else {
            ASSERT_TRUE(related(rule, example.shared, example.first)) << fault.sentence;
            ASSERT_TRUE(related(rule, example.shared, example.second)) << fault.sentence;
        }
    }
}

TEST(MappingProperty, ThereAndBackIsTheIdentity) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
    Generator generate(kSeed);
    Tally tally;
    for (int i = 0; i < kRules; ++i) {
        const Rule rule = generate.rule();
        const MappingSpec spec{mqtt_template(rule), zmq_template(rule), true, true};
        SCOPED_TRACE("rule " + std::to_string(i) + ": " + spec.mqtt + " <-> " + spec.zmq);
        std::vector<MappingFault> faults;
        std::vector<MappingFault> warnings;
        const auto mapping = Mapping::compile(spec, faults, warnings);
        ASSERT_EQ(mapping.has_value(), faults.empty());
        if (mapping) {
            ++tally.compiled;
            ASSERT_NO_FATAL_FAILURE(check_two_way(generate, rule, *mapping, tally));
        } else {
            ++tally.refused;
            ASSERT_NO_FATAL_FAILURE(check_refused(rule, faults, tally));
        }
    }
    std::printf("compiled %d refused %d examples %d topics %d keys %d (%d no match)\n",
                tally.compiled, tally.refused, tally.examples, tally.topics_mapped,
                tally.keys_mapped, tally.keys_refused);
    // The generator must have reached what the test is about.
    EXPECT_GT(tally.compiled, kRules / 3);
    EXPECT_GT(tally.examples, kRules / 20);
    EXPECT_GT(tally.topics_mapped, kRules / 2);
    EXPECT_GT(tally.keys_mapped, kRules / 2);
    EXPECT_GT(tally.keys_refused, kRules / 2);
}

}  // namespace
}  // namespace trestle
