#include "core/retained.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/topic.h"

namespace trestle {
namespace {

using Kept = RetainedStore::Kept;

MessagePtr message(std::string_view topic, std::string_view payload = "x",
                   uint64_t expires = kNeverExpires) {
    return Message::copy_of({.topic = topic,
                             .payload = payload,
                             .properties = {},
                             .expires_at_ms = expires,
                             .retain = true});
}

std::vector<std::string> topics(RetainedStore& store, std::string filter, size_t portion = 1000,
                                uint64_t now = 0, uint64_t without = 0) {
    RetainedCursor cursor;
    cursor.filter = std::move(filter);
    cursor.without_publisher = without;
    std::vector<MessagePtr> out;
    for (int calls = 0; !cursor.done && calls < 100'000; ++calls) {
        store.collect(cursor, portion, now, out);
    }
    EXPECT_TRUE(cursor.done);
    std::vector<std::string> names;
    for (const auto& m : out) names.emplace_back(m->view().topic);
    return names;
}

constexpr size_t levels(size_t count) { return count * RetainedTree::kLevelBytes; }

using Names = std::vector<std::string>;

TEST(Retained, TheLastMessageOfATopicIsKept) {  // [MQTT-3.3.1-5]
    RetainedTree store({});
    EXPECT_EQ(store.keep(message("a/b", "one"), 0), Kept::stored);
    EXPECT_EQ(store.keep(message("a/b", "three"), 0), Kept::stored);
    EXPECT_EQ(store.messages(), 1u);
    EXPECT_EQ(store.bytes(), 8u + levels(2) + 2) << "two levels of one letter";
    RetainedCursor cursor;
    cursor.filter = "a/b";
    std::vector<MessagePtr> out;
    store.collect(cursor, 10, 0, out);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0]->view().payload, "three");
}

TEST(Retained, AnEmptyPayloadClears) {  // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    RetainedTree store({});
    store.keep(message("a/b/c"), 0);
    store.keep(message("a"), 0);
    EXPECT_EQ(store.keep(message("a/b/c", ""), 0), Kept::cleared);
    EXPECT_EQ(store.keep(message("nothing/there", ""), 0), Kept::cleared);
    EXPECT_EQ(store.messages(), 1u);
    EXPECT_EQ(topics(store, "#"), Names{"a"});
    store.keep(message("a", ""), 0);
    EXPECT_EQ(store.messages(), 0u);
    EXPECT_EQ(store.bytes(), 0u);
    EXPECT_EQ(topics(store, "#"), Names{});
}

TEST(Retained, ClearingALeafKeepsItsBranch) {
    RetainedTree store({});
    for (const auto* t : {"a/b/c/d/e", "a/b/x", "a/b/c"}) store.keep(message(t), 0);
    store.keep(message("a/b/c/d/e", ""), 0);
    EXPECT_EQ(topics(store, "#"), (Names{"a/b/c", "a/b/x"}));
    store.keep(message("a/b/c/d/e"), 0);
    store.keep(message("a/b/c", ""), 0);
    EXPECT_EQ(topics(store, "#"), (Names{"a/b/c/d/e", "a/b/x"}));
}

TEST(Retained, WildcardsDoNotSelectTheServersTopics) {  // [MQTT-4.7.2-1]
    RetainedTree store({});
    for (const auto* t : {"$SYS/x", "a/$b", "$SYS"}) store.keep(message(t), 0);
    EXPECT_EQ(topics(store, "#"), Names{"a/$b"});
    EXPECT_EQ(topics(store, "+/x"), Names{});
    EXPECT_EQ(topics(store, "$SYS/#"), (Names{"$SYS", "$SYS/x"}));
    EXPECT_EQ(topics(store, "$SYS/+"), Names{"$SYS/x"});
}

TEST(Retained, ExpiredOnesAreNeitherGivenNorKept) {  // [MQTT-3.3.2-5]
    RetainedTree store({});
    store.keep(message("a", "1", 100), 0);
    store.keep(message("b", "1", 200), 0);
    store.keep(message("c", "1"), 0);
    EXPECT_EQ(topics(store, "#", 1000, 100), (Names{"b", "c"}));
    store.remove_expired(99, 10);
    EXPECT_EQ(store.messages(), 3u);
    store.remove_expired(250, 1);
    EXPECT_EQ(store.messages(), 2u);
    store.remove_expired(250, 10);
    EXPECT_EQ(store.messages(), 1u);
    store.keep(message("c", "1", 300), 0);
    store.keep(message("c", "1"), 0);  // replaced by one that stays
    store.remove_expired(1000, 10);
    EXPECT_EQ(topics(store, "#"), Names{"c"});
}

TEST(Retained, LimitsHold) {
    RetainedTree store({.max_messages = 2, .max_bytes = 20 + levels(2)});
    EXPECT_EQ(store.keep(message("a"), 0), Kept::stored);
    EXPECT_EQ(store.keep(message("b"), 0), Kept::stored);
    EXPECT_EQ(store.keep(message("c"), 0), Kept::full);
    EXPECT_EQ(store.keep(message("b", "again"), 0), Kept::stored);
    EXPECT_EQ(store.keep(message("b", std::string(30, 'x')), 0), Kept::full);
    EXPECT_EQ(topics(store, "#"), Names{"a"}) << "an older message than the last would be wrong";
    EXPECT_EQ(store.bytes(), 2u + levels(1) + 1);
}

TEST(Retained, TheLevelsOfTopicsCount) {
    const std::string deep = "a" + std::string(127, '/');
    RetainedTree store({.max_messages = 100, .max_bytes = 3 * levels(128)});
    EXPECT_EQ(store.keep(message(deep + "1"), 0), Kept::stored);
    EXPECT_EQ(store.bytes(), levels(128) + 2 + deep.size() + 1 + 1);
    const size_t one = store.bytes();
    EXPECT_EQ(store.keep(message(deep + "2"), 0), Kept::stored) << "shares all levels but one";
    EXPECT_EQ(store.bytes(), one + levels(1) + 1 + deep.size() + 1 + 1);
    EXPECT_EQ(store.keep(message("b" + deep), 0), Kept::stored);
    const size_t full = store.bytes();
    EXPECT_EQ(store.keep(message("c" + deep), 0), Kept::full);
    EXPECT_EQ(store.bytes(), full);
    EXPECT_EQ(store.messages(), 3u);
    store.keep(message("b" + deep, ""), 0);
    EXPECT_EQ(store.keep(message("c" + deep), 0), Kept::stored) << "what is cleared is given back";
    for (const auto& topic : {deep + "1", deep + "2", "c" + deep}) {
        store.keep(message(topic, ""), 0);
    }
    EXPECT_EQ(store.bytes(), 0u);
}

TEST(Retained, APublishersOwnAreLeftOutWhenAsked) {
    RetainedTree store({});
    store.keep(message("a"), publisher_hash("me"));
    store.keep(message("b"), publisher_hash("you"));
    EXPECT_EQ(topics(store, "#", 10, 0, publisher_hash("me")), Names{"b"});
}

TEST(Retained, VeryDeepTopicsComeAndGo) {
    RetainedTree store({});
    std::string deep(65'535, '/');
    store.keep(message(deep), 0);
    EXPECT_EQ(topics(store, "#").size(), 1u);
    store.keep(message(deep, ""), 0);
    EXPECT_EQ(store.messages(), 0u);
    store.keep(message(deep), 0);  // and is destroyed with the store
}

// Against the plain way: every topic is held against the filter. Portions of any size give the
// same.
TEST(Retained, AgreesWithMatchingEachTopic) {
    std::mt19937 random(7);
    const auto word = [&](bool filter) {
        static constexpr const char* kLevels[] = {"", "a", "b", "$c", "ab", "+", "+"};
        return kLevels[random() % (filter ? 7 : 5)];
    };
    const auto text = [&](bool filter) {
        std::string out = word(filter);
        for (auto n = random() % 4; n > 0; --n) out += std::string("/") + word(filter);
        if (filter && random() % 3 == 0) out = random() % 4 == 0 ? "#" : out + "/#";
        return out;
    };
    for (int round = 0; round < 300; ++round) {
        RetainedTree store({});
        std::vector<std::string> present;
        for (int i = 0; i < 40; ++i) {
            const auto topic = text(false);
            if (topic.empty()) continue;
            const bool clear = random() % 4 == 0;
            std::erase(present, topic);
            if (!clear) present.push_back(topic);
            store.keep(message(topic, clear ? "" : "x"), 0);
        }
        EXPECT_EQ(store.messages(), present.size());
        for (int i = 0; i < 20; ++i) {
            const auto filter = text(true);
            if (!is_valid_topic_filter(filter)) continue;
            Names expected;
            std::ranges::copy_if(present, std::back_inserter(expected),
                                 [&](const auto& t) { return filter_matches(filter, t); });
            std::ranges::sort(expected);
            for (const size_t portion : {1u, 2u, 1000u}) {
                auto got = topics(store, filter, portion);
                std::ranges::sort(got);
                ASSERT_EQ(got, expected) << filter << " in portions of " << portion;
            }
        }
        for (const auto& topic : present) store.keep(message(topic, ""), 0);
        ASSERT_EQ(store.bytes(), 0u);
    }
}

TEST(Retained, WhatIsOvertakenIsNoLongerCurrent) {
    RetainedTree store({});
    store.overtake("a");
    EXPECT_EQ(store.current("a", 0), nullptr);
    store.keep(message("a", "1", 100), 0);
    store.keep(message("a/b", "2"), 0);
    ASSERT_NE(store.current("a", 0), nullptr);
    EXPECT_EQ(store.current("a", 0)->view().payload, "1");
    EXPECT_EQ(store.current("a", 100), nullptr) << "expired";
    EXPECT_EQ(store.current("a/+", 0), nullptr) << "a topic, not a filter";
    store.overtake("a");
    store.overtake("a/b/c");
    EXPECT_EQ(store.current("a", 0), nullptr);
    EXPECT_NE(store.current("a/b", 0), nullptr);
    EXPECT_EQ(topics(store, "a"), Names{"a"}) << "MQTT subscribers get it all the same";
    store.keep(message("a", "3"), 0);
    EXPECT_EQ(store.current("a", 0)->view().payload, "3");
    store.keep(message("a", ""), 0);
    EXPECT_EQ(store.current("a", 0), nullptr);
}

TEST(Retained, AWalkGoesOnWhereItsPlaceIsGone) {
    RetainedTree store({});
    for (const auto* t : {"a/1", "a/2", "a/3", "b"}) store.keep(message(t), 0);
    RetainedCursor cursor;
    cursor.filter = "#";
    std::vector<MessagePtr> out;
    store.collect(cursor, 2, 0, out);
    ASSERT_EQ(out.back()->view().topic, "a/2");
    for (const auto* t : {"a/1", "a/2", "a/3"}) store.keep(message(t, ""), 0);
    while (!cursor.done) store.collect(cursor, 2, 0, out);
    EXPECT_EQ(out.size(), 3u);
    EXPECT_EQ(out.back()->view().topic, "b");
}

TEST(Retained, OneCallLooksAtABoundedNumberOfTopics) {
    RetainedTree store({});
    constexpr size_t kTopics = RetainedTree::kMostVisited * 3;
    for (size_t i = 0; i < kTopics; ++i) store.keep(message("t" + std::to_string(i) + "/x"), 0);
    RetainedCursor cursor;
    cursor.filter = "+/y";
    std::vector<MessagePtr> out;
    size_t calls = 0;
    for (; !cursor.done && calls < 100; ++calls) store.collect(cursor, 10, 0, out);
    EXPECT_TRUE(out.empty());
    EXPECT_GE(calls, 3u);
    EXPECT_LT(calls, 10u);
}

TEST(Retained, ShowsOneLevelOfTheTree) {
    RetainedTree store({});
    for (const char* topic : {"a/b", "a/b/c", "a/d/e", "a/f", "/x", "z"}) {
        store.keep(message(topic), 0);
    }
    store.keep(message("a/g", "x", 100), 0);
    const auto levels = [&](std::optional<std::string_view> topic,
                            std::optional<std::string_view> after = {}, size_t most = 10) {
        std::string seen;
        for (const auto& level : store.levels_below(topic, after, most, 100)) {
            seen += level.name + (level.message ? "!" : "") + (level.has_below ? ">" : "") + " ";
        }
        return seen;
    };
    EXPECT_EQ(levels({}), "> a> z! ");
    EXPECT_EQ(levels(""), "x! ") << "below the empty level";
    EXPECT_EQ(levels("a"), "b!> d> f! g ") << "one has expired";
    EXPECT_EQ(levels("a", {}, 2), "b!> d> ");
    EXPECT_EQ(levels("a", "d"), "f! g ");
    EXPECT_EQ(levels("a/b"), "c! ");
    EXPECT_EQ(levels("nowhere/at/all"), "");
}

}  // namespace
}  // namespace trestle
