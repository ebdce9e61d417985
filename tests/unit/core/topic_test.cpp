// Topic names and filters: the examples of the MQTT specifications (section 4.7, 4.8.2) and the
// corners around them.
#include "core/topic.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trestle {
namespace {

TEST(Topic, NamesHoldNoWildcardsAndNoNul) {  // [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2]
    for (const char* name : {"/", "a", "a/b", "//", "$SYS/broker", "a b", "\xC3\xA4/x"}) {
        EXPECT_TRUE(is_valid_topic_name(name)) << name;
    }
    for (const char* name : {"", "+", "#", "a/+", "a/#", "a+b", "sport/tennis#"}) {
        EXPECT_FALSE(is_valid_topic_name(name)) << name;
    }
    EXPECT_FALSE(is_valid_topic_name(std::string_view("a\0b", 3)));
    EXPECT_TRUE(is_valid_topic_name(std::string(65535, 'x')));  // [MQTT-4.7.3-3]
    EXPECT_FALSE(is_valid_topic_name(std::string(65536, 'x')));
}

TEST(Topic, FiltersHaveWildcardsInWholeLevels) {  // [MQTT-4.7.1-1] [MQTT-4.7.1-2]
    for (const char* filter :
         {"sport/tennis/player1/#", "sport/#", "#", "+", "+/tennis/#", "sport/+/player1",
          "/finance", "/+", "+/+", "/", "//", "a/+/+/#", "$SYS/#", "$share", "+/", "/#"}) {
        EXPECT_TRUE(is_valid_topic_filter(filter)) << filter;
    }
    for (const char* filter : {"", "sport/tennis#", "sport/tennis/#/ranking", "sport+",
                               "sport/+x/y", "##", "+#", "#/", "a/#/", "++", "x#/y"}) {
        EXPECT_FALSE(is_valid_topic_filter(filter)) << filter;
    }
    EXPECT_FALSE(is_valid_topic_filter(std::string_view("a\0", 2)));
    EXPECT_TRUE(is_valid_topic_filter(std::string(65535, 'x')));
    EXPECT_FALSE(is_valid_topic_filter(std::string(65536, 'x')));
}

struct Match {
    const char* filter;
    const char* topic;
    bool matches;
};

const std::vector<Match> kMatches = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/#", "sport", true},
    {"#", "sport/tennis", true},
    {"#", "/", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+/+", "/finance", true},
    {"/+", "/finance", true},
    {"+", "/finance", false},
    {"#", "$SYS/x", false},  // [MQTT-4.7.2-1]
    {"+/monitor/Clients", "$SYS/monitor/Clients", false},
    {"$SYS/#", "$SYS/", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
    {"a/#", "a$/b", false},
    {"a/+", "a/$x", true},
    {"a/#", "ab", false},
    {"a/#", "a//", true},
    {"a/#", "b", false},
    {"a/b", "a/b", true},
    {"a/b", "a/b/", false},
    {"a/b/", "a/b", false},
    {"a//b", "a//b", true},
    {"a/+/b", "a//b", true},
    {"a/b", "A/b", false},  // [MQTT-4.7.3-4]
    {"a", "a/b", false},
    {"a/b", "a", false},
    {"/", "/", true},
    {"+/+/+", "//", true},
    {"+/#", "a", true},
    {"+/#", "/a", true},
    {"a/+/#", "a", false},
    {"a/+/#", "a/b", true},
    {"a/b/#", "a/c", false},
};

TEST(Topic, FilterMatches) {
    for (const Match& m : kMatches) {
        EXPECT_TRUE(is_valid_topic_filter(m.filter)) << m.filter;
        EXPECT_TRUE(is_valid_topic_name(m.topic)) << m.topic;
        EXPECT_EQ(filter_matches(m.filter, m.topic), m.matches) << m.filter << " " << m.topic;
    }
    EXPECT_FALSE(filter_matches("#", ""));
}

TEST(Topic, FiltersOverlap) {
    const std::vector<Match> pairs = {
        {"a/+", "+/b", true},       {"a/+", "b/+", false},      {"a/#", "a", true},
        {"a/#", "+", true},         {"a/#", "b/#", false},      {"#", "$SYS/#", false},
        {"+/x", "$SYS/x", false},   {"$SYS/+", "$SYS/#", true}, {"a/b", "a/b", true},
        {"a/b", "a/b/c", false},    {"a/b/#", "a/+", true},     {"a/+/c", "a/b/#", true},
        {"a/b/#", "a/+/c/d", true}, {"a/b/c/#", "a/b", false},  {"#", "+/+/+", true},
        {"a//b", "a/+/b", true},    {"a/", "a", false},
    };
    for (const Match& m : pairs) {
        EXPECT_EQ(filters_overlap(m.filter, m.topic), m.matches) << m.filter << " " << m.topic;
        EXPECT_EQ(filters_overlap(m.topic, m.filter), m.matches) << m.topic << " " << m.filter;
    }
}

TEST(Topic, FilterCovers) {
    const std::vector<Match> pairs = {
        {"a/+", "a/b", true},       {"a/b", "a/+", false},   {"a/#", "a", true},
        {"a/#", "a/+/#", true},     {"a/+/#", "a/#", false}, {"#", "+/+", true},
        {"#", "$SYS/a", false},     {"+/+", "a/#", false},   {"#", "#", true},
        {"$SYS/#", "$SYS/+", true},
    };
    for (const Match& m : pairs) {
        EXPECT_EQ(filter_covers(m.filter, m.topic), m.matches) << m.filter << " " << m.topic;
    }
}

/// Overlap and cover against brute force: all filters and topics of up to three small levels.
TEST(Topic, OverlapAndCoverAgreeWithMatching) {
    const std::vector<std::string> words = {"", "a", "$b"};
    std::vector<std::string> topics;
    std::vector<std::string> filters;
    const auto extend = [](const std::vector<std::string>& heads, std::vector<std::string> tails) {
        std::vector<std::string> out;
        for (const auto& head : heads) {
            for (const auto& tail : tails) out.push_back(head + "/" + tail);
        }
        return out;
    };
    std::vector<std::string> layer = words;
    std::vector<std::string> filter_layer = {"", "a", "$b", "+", "#"};
    for (int depth = 0; depth < 4; ++depth) {
        topics.insert(topics.end(), layer.begin(), layer.end());
        if (depth < 3) filters.insert(filters.end(), filter_layer.begin(), filter_layer.end());
        layer = extend(layer, words);
        filter_layer = extend(filter_layer, {"", "a", "+", "#"});
    }
    std::erase_if(topics, [](const auto& topic) { return !is_valid_topic_name(topic); });
    std::erase_if(filters, [](const auto& filter) { return !is_valid_topic_filter(filter); });
    ASSERT_GT(filters.size(), 40U);
    for (const auto& a : filters) {
        for (const auto& b : filters) {
            bool overlap = false;
            bool covers = true;
            for (const auto& topic : topics) {
                const bool in_a = filter_matches(a, topic);
                const bool in_b = filter_matches(b, topic);
                overlap = overlap || (in_a && in_b);
                covers = covers && (in_a || !in_b);
            }
            ASSERT_EQ(filters_overlap(a, b), overlap) << a << "  " << b;
            ASSERT_TRUE(covers || !filter_covers(a, b)) << a << "  " << b;
        }
    }
}

TEST(Topic, SharedSubscriptions) {  // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    const auto parts = parse_shared("$share/consumer1/sport/tennis/+");
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->group, "consumer1");
    EXPECT_EQ(parts->filter, "sport/tennis/+");
    EXPECT_EQ(parse_shared("$share/g//finance")->filter, "/finance");
    EXPECT_EQ(parse_shared("$share/g/#")->filter, "#");
    for (const char* broken : {"$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a",
                               "$share/g#/a", "$share/g/a#", "$share/g/#/a", "$Share/g/a", "a"}) {
        EXPECT_FALSE(parse_shared(broken)) << broken;
    }
    EXPECT_TRUE(is_valid_subscription("$share/g/a"));
    EXPECT_TRUE(is_valid_subscription("$shared/g"));
    EXPECT_TRUE(is_valid_subscription("a/#"));
    EXPECT_FALSE(is_valid_subscription("$share/g"));
    EXPECT_FALSE(is_valid_subscription("$share//x"));
    EXPECT_FALSE(parse_shared("$share/g/" + std::string(65530, 'x')));
}

TEST(Topic, Levels) {
    EXPECT_EQ(topic_levels("a"), 1U);
    EXPECT_EQ(topic_levels("a/"), 2U);
    EXPECT_EQ(topic_levels("//"), 3U);
    std::vector<std::string> seen;
    std::string_view level;
    for (LevelReader levels("a//b/"); levels.next(level);) seen.emplace_back(level);
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "", "b", ""}));
}

}  // namespace
}  // namespace trestle
