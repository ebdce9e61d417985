// Route templates, by example: both directions, what is refused and with which counter-example.
#include "core/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trestle {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using Kind = CounterExample::Kind;

struct Compiled {
    std::optional<Mapping> mapping;
    std::vector<MappingFault> faults;
    std::vector<MappingFault> warnings;
};

Compiled compile(const std::string& mqtt, const std::string& zmq, bool to_zmq = true,
                 bool to_mqtt = true) {
    Compiled out;
    out.mapping = Mapping::compile({mqtt, zmq, to_zmq, to_mqtt}, out.faults, out.warnings);
    return out;
}

Mapping two_way(const std::string& mqtt, const std::string& zmq) {
    auto out = compile(mqtt, zmq);
    for (const auto& fault : out.faults) ADD_FAILURE() << fault.side << ": " << fault.sentence;
    return out.mapping.value();
}

std::string key_of(const Mapping& mapping, const std::string& topic) {
    std::string key;
    return mapping.to_zmq(topic, key) ? key : "no match";
}

std::string topic_of(const Mapping& mapping, const std::string& key) {
    std::string topic;
    return mapping.to_mqtt(key, topic) ? topic : "no match";
}

void expect_pair(const Mapping& mapping, const std::string& topic, const std::string& key) {
    EXPECT_EQ(key_of(mapping, topic), key);
    EXPECT_EQ(topic_of(mapping, key), topic);
}

void expect_no_topic(const Mapping& mapping, const std::string& topic) {
    EXPECT_EQ(key_of(mapping, topic), "no match") << topic;
}

void expect_no_key(const Mapping& mapping, const std::string& key) {
    EXPECT_EQ(topic_of(mapping, key), "no match") << key;
}

TEST(Mapping, OneLevelCaptures) {
    const auto m = two_way("sensors/{site}/{device}/temperature", "temperature.{site}.{device}");
    expect_pair(m, "sensors/north/t1/temperature", "temperature.north.t1");
    expect_pair(m, "sensors/north/t1.5/temperature", "temperature.north.t1.5");
    expect_no_topic(m, "sensors/no.rth/t1/temperature");
    expect_no_topic(m, "sensors//t1/temperature");
    expect_no_topic(m, "sensors/north/t1/humidity");
    expect_no_topic(m, "sensors/north/t1/temperature/x");
    expect_no_topic(m, "sensors/north/t1");
    expect_no_key(m, "temperature.north");
    expect_no_key(m, "temperature..t1");
    expect_no_key(m, "temperature.north.");
    expect_no_key(m, "xtemperature.north.t1");
    expect_no_key(m, "temperature.north.t/1");
    EXPECT_EQ(m.mqtt_filter(), "sensors/+/+/temperature");
    EXPECT_EQ(m.zmq_prefix(), "temperature.");
    EXPECT_TRUE(m.has_captures());
    EXPECT_TRUE(m.key_is_prefix_ambiguous());
}

TEST(Mapping, KeysThatWouldGiveAnInvalidTopic) {
    const auto m = two_way("c/{x}", "{x}");
    for (const std::string& key : {"a\0b"s, "a+"s, "#"s, "\xFF"s, "\xC3"s, "\xED\xA0\x80"s, "a/b"s,
                                   ""s, std::string(65534, 'x')}) {
        expect_no_key(m, key);
    }
    expect_pair(m, "c/" + std::string(65533, 'x'), std::string(65533, 'x'));
    expect_pair(m, "c/\xC3\xA4", "\xC3\xA4");
    expect_pair(m, "c/$x", "$x");
}

TEST(Mapping, FirstLevelCapturesNeverTakeDollar) {
    const auto m = two_way("{a}/x", "k.{a}");
    expect_no_topic(m, "$SYS/x");
    expect_no_key(m, "k.$SYS");
    const auto rest = two_way("{rest...}", "all.{rest...}");
    EXPECT_EQ(rest.mqtt_filter(), "#");
    expect_no_topic(rest, "$SYS/x");
    expect_no_key(rest, "all.$SYS/x");
    expect_no_key(rest, "all.");
    expect_pair(rest, "/", "all./");
    const auto named = two_way("$SYS/{a}", "sys.{a}");
    expect_pair(named, "$SYS/x", "sys.x");
}

TEST(Mapping, OptionalCaptures) {
    const auto m = two_way("a/{x?}/b", "{x?}:b");
    expect_pair(m, "a//b", ":b");
    expect_pair(m, "a/1/b", "1:b");
    expect_no_topic(m, "a/b");
    const auto last = two_way("a/{x?}", "a.{x}");
    expect_pair(last, "a/", "a.");
    expect_no_topic(last, "a");
    const auto alone = two_way("{x?}", "{x?}");
    expect_no_topic(alone, "");
    expect_no_key(alone, "");
    expect_pair(alone, "a", "a");
}

TEST(Mapping, RestOfTheLevels) {
    const auto m = two_way("factory/{rest...}", "factory:{rest...}");
    EXPECT_EQ(m.mqtt_filter(), "factory/#");
    expect_no_topic(m, "factory");
    expect_pair(m, "factory/", "factory:");
    expect_pair(m, "factory/a", "factory:a");
    expect_pair(m, "factory//a//", "factory:/a//");
    const auto ended = two_way("factory/{rest...}", "{rest...}\\0");
    expect_pair(ended, "factory/a/b", "a/b\0"s);
    expect_no_key(ended, "a\0b\0"s);
    EXPECT_FALSE(ended.key_is_prefix_ambiguous());
}

TEST(Mapping, RestWithAnotherSeparator) {
    const auto m = two_way("factory/{rest...}", "factory.{rest...|/=.}");
    expect_pair(m, "factory/a/b/c", "factory.a.b.c");
    expect_pair(m, "factory//", "factory..");
    expect_no_topic(m, "factory/a.b/c");
    expect_no_key(m, "factory.a/b");
    const auto wide = two_way("f/{rest...}", "{rest...|/=::}!");
    expect_pair(wide, "f/a/b", "a::b!");
    expect_no_topic(wide, "f/a:b");
    expect_no_key(wide, "a:b!");
    expect_no_key(wide, "a:::b!");
    const auto doubled = two_way("f/{rest...}", "{rest...|/=//}");
    expect_pair(doubled, "f/a//b", "a////b");
    expect_no_key(doubled, "a/b");
    const auto escaped = two_way("f/{rest...}", "{rest...|/=.|pct}");
    expect_pair(escaped, "f/a.b/c%", "a%2Eb.c%25");
    expect_no_key(escaped, "a%2Fb");
}

TEST(Mapping, PercentEscape) {
    const auto m = two_way("s/{site}/{dev}", "t.{site|pct}.{dev}");
    expect_pair(m, "s/a.b/c.d", "t.a%2Eb.c.d");
    expect_pair(m, "s/100%/c", "t.100%25.c");
    for (const char* key : {"t.a%2eb.c", "t.a%41b.c", "t.a%.c", "t.a%2.c", "t.%00.c", "t.%ZZ.c"}) {
        expect_no_key(m, key);
    }
    // A hexadecimal digit as the literal: the digits of an escape end nothing.
    const auto digits = two_way("s/{a}/{b}", "{a|pct}2{b}");
    expect_pair(digits, "s/x%2y/2", "x%25%32y22");
    const auto rest = two_way("s/{rest...}", "{rest...|pct}/end");
    expect_pair(rest, "s/a/b%", "a%2Fb%25/end");
}

TEST(Mapping, ConstrainedCaptures) {
    const auto m = two_way("room/{n:[0-9]{1,3}}/{what:on|off}", "{what}/{n}");
    expect_pair(m, "room/12/on", "on/12");
    expect_no_topic(m, "room/1234/on");
    expect_no_topic(m, "room/12/onx");
    expect_no_key(m, "on/x");
    expect_no_key(m, "on/1\n");
    const auto slash = two_way("a/{x:[a-z/]+}", "{x}");
    expect_pair(slash, "a/b", "b");
    expect_no_key(slash, "b/c");
    const auto classes = two_way("a/{x:[]}{[:alpha:]]+}/b", "{x}");
    expect_pair(classes, "a/}{x/b", "}{x");
    const auto maybe = two_way("a/{x?:[0-9]}", "{x}");
    expect_no_topic(maybe, "a/12");
    expect_pair(two_way("a/{x:.*}", "k{x}"), "a/1", "k1");
    expect_no_topic(two_way("a/{x:.*}", "k{x}"), "a/");
}

TEST(Mapping, Literals) {
    const auto m = two_way("a/{{b}}/{x}", "\\0\\n\\t\\\\{{{x}}}");
    expect_pair(m, "a/{b}/1", "\0\n\t\\{1}"s);
    EXPECT_EQ(m.zmq_prefix(), "\0\n\t\\{"s);
    const auto fixed = two_way("video/uploaded", "encode");
    expect_pair(fixed, "video/uploaded", "encode");
    expect_no_key(fixed, "encode2");
    expect_no_key(fixed, "encod");
    EXPECT_FALSE(fixed.has_captures());
}

TEST(Mapping, OneWayRules) {
    auto out = compile("video/{id}/uploaded", "encode", true, false);
    ASSERT_TRUE(out.mapping);
    EXPECT_EQ(key_of(*out.mapping, "video/7/uploaded"), "encode");
    expect_no_key(*out.mapping, "encode");
    out = compile("s/{a}/{b}", "{a}{b}.{a}", true, false);
    ASSERT_TRUE(out.mapping);
    EXPECT_EQ(key_of(*out.mapping, "s/x.y/z"), "x.yz.x.y");
    out = compile("cmd/{dev}", "{kind}::{dev}", false, true);
    ASSERT_TRUE(out.mapping);
    expect_no_topic(*out.mapping, "cmd/x");
    EXPECT_EQ(topic_of(*out.mapping, "a:b/c::d::e"), "cmd/d::e");
    out = compile("cmd/{dev}", "{dev|pct}.end", false, true);
    ASSERT_TRUE(out.mapping);
    EXPECT_EQ(topic_of(*out.mapping, "a%2eb%41.end.end"), "cmd/a.bA.end");
    EXPECT_FALSE(compile("cmd/{dev}", "x.{id}", false, true).mapping);
    EXPECT_FALSE(compile("cmd/{dev}", "x.{id}", true, false).mapping);
    EXPECT_FALSE(compile("cmd/{a}/{b}", "{a}{b}", false, true).mapping);
}

struct Refusal {
    const char* mqtt;
    const char* zmq;
    const char* side;
    const char* says;
    bool has_example;
};

const std::vector<Refusal> kRefusals = {
    {"x/{a}/{b}", "{a}{b}", "zmq", "touch", true},
    {"x/{a}/{b:[0-9]+}", "{a}{b}", "zmq", "would share key", true},
    {"x/{a?}/{b?}", "{a}{b}", "zmq", "touch", true},
    {"x/{a}/{rest...}", "{a|pct}{rest...|/=.}", "zmq", "touch", true},
    {"x/{a}/{b}", "{a}", "zmq", "{b} is in the topic but not in the key", true},
    {"x/{a}", "{a}.{b}", "mqtt", "{b} is in the key but not in the topic", true},
    {"x/{a}/{a}", "{a}", "mqtt", "used twice in the topic", true},
    {"x/{a}", "{a}.{a}", "zmq", "used twice in the key", true},
    {"x/{rest...}", "{rest...|/=}", "zmq", "'x/a/b' and 'x/ab' would share key 'ab'", true},
    {"{x}/{rest...}", "{rest...|/=.}.{x}", "zmq", "would share key", true},
    {"{x}/{rest...}", "{rest...}/{x}", "zmq", "starts the literal after it", false},
    {"x/{rest...}", "{rest...|/=.}.end", "zmq", "starts the literal after it", false},
    {"x/{rest...}", "{rest...|/=%|pct}", "zmq", "would share key", true},
    {"x/{a}/{b}", "{a|pct}%{b}", "zmq", "taken for an escape", true},
    {"x/{a}-{b}", "{a}.{b}", "mqtt", "a capture takes a whole level", false},
    {"x/{a}{b}", "{a}.{b}", "mqtt", "a capture takes a whole level", false},
    {"x/v{a}", "{a}", "mqtt", "a capture takes a whole level", false},
    {"x/{rest...}/y", "{rest...}", "mqtt", "nothing can follow it", false},
    {"x/{a}", "{a...}", "zmq", "write the same in both places", false},
    {"x/{a}", "{a|/=.}", "zmq", "has nothing to do", false},
    {"x/{a|pct}", "{a}", "mqtt", "use it on the ZeroMQ side", false},
    {"x/{a}", "{a|hex}", "zmq", "knows 'pct'", false},
    {"x/+", "x", "mqtt", "write {name} for one level", false},
    {"", "x", "mqtt", "empty", false},
    {"x/{a", "{a}", "mqtt", "not closed", false},
    {"x/a}", "a", "mqtt", "closes nothing", false},
    {"x/{}", "a", "mqtt", "a name is expected", false},
    {"x/{a!}", "{a}", "mqtt", "expected '}'", false},
    {"x/{a:[0-9}", "{a}", "mqtt", "not closed", false},
    {"x/{a:(}", "{a}", "mqtt", "not a regular expression", false},
    {"x/{a:}", "{a}", "mqtt", "is empty", false},
    {"x/{a:((x{1,30}){1,30}){1,9}}", "{a}", "mqtt", "", false},
    {"x/{a}", "{a}\\x", "zmq", "a backslash starts one of", false},
    {"x/\xFF", "x", "mqtt", "not UTF-8", false},
};

TEST(Mapping, Refusals) {
    for (const Refusal& r : kRefusals) {
        SCOPED_TRACE(std::string(r.mqtt) + " <-> " + r.zmq);
        const auto out = compile(r.mqtt, r.zmq);
        EXPECT_FALSE(out.mapping);
        ASSERT_FALSE(out.faults.empty());
        EXPECT_EQ(out.faults.front().side, r.side);
        EXPECT_THAT(out.faults.front().sentence, HasSubstr(r.says));
        EXPECT_EQ(out.faults.front().example.has_value(), r.has_example)
            << out.faults.front().sentence;
    }
}

TEST(Mapping, EveryFaultIsTold) {
    const auto out = compile("x/{a}/{b}", "{c}.{d}{a}");
    EXPECT_EQ(out.faults.size(), 4U);  // b, c, d, touching
    const auto both = compile("x/+", "{a|hex}");
    EXPECT_EQ(both.faults.size(), 2U);
}

TEST(Mapping, Limits) {
    std::string mqtt = "x";
    std::string zmq;
    for (int i = 0; i < 33; ++i) {
        mqtt += "/{c" + std::to_string(i) + "}";
        zmq += ".{c" + std::to_string(i) + "}";
    }
    EXPECT_FALSE(compile(mqtt, zmq).mapping);
    EXPECT_FALSE(compile(std::string(5000, 'x'), "k").mapping);
    EXPECT_FALSE(compile("x/{a:" + std::string(2000, 'x') + "}", "{a}").mapping);
    EXPECT_FALSE(compile("x/{a:[a-z]{1000}[a-z]{1000}[a-z]{1000}[a-z]{1000}}", "{a}").mapping);
}

TEST(Mapping, WarnsOfWhatATwoWayRuleLeavesOut) {
    auto out = compile("sensors/{site}/{device}", "temperature.{site}.{device}");
    ASSERT_EQ(out.warnings.size(), 1U);
    EXPECT_THAT(out.warnings[0].sentence, HasSubstr("{site} holds '.'"));
    EXPECT_THAT(out.warnings[0].sentence, HasSubstr("{site|pct}"));
    EXPECT_TRUE(compile("s/{a}/{b}", "{a}/{b}").warnings.empty());
    EXPECT_TRUE(compile("s/{a}/{b}", "{a}\\0{b}").warnings.empty());
    EXPECT_TRUE(compile("s/{a}/{b}", "{a|pct}.{b}").warnings.empty());
    EXPECT_TRUE(compile("s/{a:[0-9]+}/{b}", "{a}.{b}").warnings.empty());
    EXPECT_EQ(compile("s/{a:[0-9.]+}/{b}", "{a}.{b}").warnings.size(), 1U);
    EXPECT_EQ(compile("s/{rest...}", "s.{rest...|/=.}").warnings.size(), 1U);
    EXPECT_TRUE(compile("s/{a}/{b}", "{a}.{b}", true, false).warnings.empty());
}

TEST(Mapping, PrefixAmbiguity) {
    EXPECT_TRUE(two_way("s/{a}", "sensor.{a}").key_is_prefix_ambiguous());
    EXPECT_TRUE(two_way("s", "sensor").key_is_prefix_ambiguous());
    EXPECT_FALSE(two_way("s/{a}", "sensor.{a}\\0").key_is_prefix_ambiguous());
    EXPECT_FALSE(two_way("s/{a}", "sensor.{a}.").key_is_prefix_ambiguous());
}

TEST(Mapping, Specificity) {
    const std::vector<Mapping> order = {
        two_way("{rest...}", "{rest...}"),   two_way("{a}/{rest...}", "{a}:{rest...}"),
        two_way("{a}/{b}", "{a}/{b}"),       two_way("{a:[a-z]+}/b", "{a}"),
        two_way("a/{rest...}", "{rest...}"), two_way("a/{b}", "{b}"),
        two_way("a/{b:x}", "{b}"),           two_way("a/b", "b"),
    };
    for (size_t i = 0; i < order.size(); ++i) {
        for (size_t j = 0; j < order.size(); ++j) {
            EXPECT_EQ(order[i].compare_specificity(order[j]), i <=> j) << i << " " << j;
        }
    }
}

TEST(Mapping, ExplainsMisses) {
    const auto m = two_way("sensors/{site}/{dev}/temperature", "temperature.{site}.{dev}");
    EXPECT_EQ(m.explain_topic_miss("sensors/a/b/temperature"), "");
    EXPECT_EQ(m.explain_topic_miss("sensors/a/b/x"),
              "level 4 is 'x', the template has 'temperature' there");
    EXPECT_EQ(m.explain_topic_miss("sensors/a.b/c/temperature"),
              "capture {site} holds '.', which starts the literal after it in the key");
    EXPECT_EQ(m.explain_topic_miss("sensors/a"), "the topic has 2 levels, the template has 4");
    EXPECT_EQ(m.explain_topic_miss("sensors//a/temperature"),
              "capture {site} would be empty; {site?} may be");
    EXPECT_EQ(m.explain_key_miss("temperature.a.b"), "");
    EXPECT_EQ(m.explain_key_miss("temperature.a"),
              "after capture {site} the template has '.', the key does not");
    EXPECT_EQ(m.explain_key_miss("humidity.a.b"),
              "the key has 'humidity.a.b' at byte 0, the template has 'temperature.' there");
    EXPECT_THAT(m.explain_key_miss("temperature.a.b/c"), HasSubstr("more than one level"));
    EXPECT_THAT(m.explain_key_miss("temperature.a.\xFF"), HasSubstr("'sensors/a/\\xFF/temp"));
}

TEST(Mapping, Overlaps) {
    const auto any = two_way("s/{a}/t", "t.{a}");
    const auto digits = two_way("s/{a:[0-9]+}/t", "d.{a}.");
    const auto word = two_way("s/abc/t", "t.abc");
    const auto rest = two_way("s/{rest...}", "r.{rest...}");
    EXPECT_TRUE(any.topics_overlap(word));
    EXPECT_TRUE(any.topics_overlap(digits));
    EXPECT_FALSE(digits.topics_overlap(word));
    EXPECT_TRUE(rest.topics_overlap(digits));
    EXPECT_FALSE(rest.topics_overlap(two_way("s", "s")));
    EXPECT_FALSE(two_way("{rest...}", "{rest...}").topics_overlap(two_way("$SYS/a", "a")));
    EXPECT_TRUE(any.keys_overlap(word));
    EXPECT_FALSE(any.keys_overlap(digits));
    EXPECT_TRUE(two_way("x/{a}", "{a}.z").keys_overlap(two_way("x/{a}", "y.{a}")));
    EXPECT_FALSE(two_way("x/{a}", "{a}.z").keys_overlap(two_way("x/{a}", "{a}.y")));
}

}  // namespace
}  // namespace trestle
