#include "zmq/interest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace trestle::zmq {
namespace {

std::vector<std::string> prefixes_of(const PrefixMap<int>& map, std::string_view key) {
    std::vector<std::string> found;
    map.any_of(key, [&](const std::string& prefix, int) {
        found.push_back(prefix);
        return false;
    });
    return found;
}

TEST(PrefixMap, FindsAllPrefixesOfAKeyTheShortestFirst) {
    PrefixMap<int> map;
    for (const auto* prefix : {"sensor", "s", "sensor.1", "sensor.2", "x"}) map.insert(prefix);
    EXPECT_EQ((std::vector<std::string>{"s", "sensor", "sensor.1"}), prefixes_of(map, "sensor.10"));
    EXPECT_TRUE(prefixes_of(map, "a").empty());
    EXPECT_TRUE(prefixes_of(map, "").empty());
    map.insert("");
    EXPECT_EQ((std::vector<std::string>{""}), prefixes_of(map, "a"));
    EXPECT_FALSE(map.insert("x", 2));
    EXPECT_EQ(6U, map.size());
    EXPECT_EQ(24U, map.bytes());
}

TEST(PrefixMap, AgreesWithLookingAtEachOfThem) {
    std::mt19937 dice(7);
    const auto word = [&] {
        std::string text(dice() % 9, 'a');
        for (char& c : text) c = static_cast<char>("ab\0\xff"[dice() % 4]);
        return text;
    };
    PrefixMap<int> map;
    std::set<std::string> model;
    for (int i = 0; i < 20'000; ++i) {
        const std::string text = word();
        switch (dice() % 3) {
            case 0:
                EXPECT_EQ(model.insert(text).second, map.insert(text));
                break;
            case 1:
                EXPECT_EQ(model.erase(text) == 1, map.erase(text));
                break;
            default:
                const bool has = std::ranges::any_of(
                    model, [&](const auto& prefix) { return text.starts_with(prefix); });
                ASSERT_EQ(has, map.has_prefix_of(text));
        }
        if (i % 1000 == 0) {
            for (const auto& prefix : std::set<std::string>(model)) {
                if (dice() % 2 == 0) continue;
                EXPECT_TRUE(map.contains(prefix));
                model.erase(prefix);
                map.erase(prefix);
            }
        }
        ASSERT_EQ(model.size(), map.size());
    }
}

constexpr Interest::Asker kOne = 1, kTwo = 2, kThree = 3;

std::vector<std::string> gone_with(Interest& interest, Interest::Asker asker) {
    std::vector<std::string> gone;
    interest.leave(asker, [&](const std::string& prefix) { gone.push_back(prefix); });
    std::ranges::sort(gone);
    return gone;
}

TEST(Interest, NobodyTakesBackWhatAnotherHasAskedFor) {
    Interest interest(10);
    interest.add(kOne, "a");
    EXPECT_FALSE(interest.remove(kTwo, "a"));
    EXPECT_TRUE(interest.wants("a1"));
    interest.add(kTwo, "a");
    EXPECT_FALSE(interest.remove(kTwo, "a"));
    EXPECT_FALSE(interest.remove(kTwo, "a")) << "said twice";
    EXPECT_TRUE(interest.wants("a1"));
    EXPECT_TRUE(interest.remove(kOne, "a"));
    EXPECT_FALSE(interest.wants("a1"));
    EXPECT_EQ(0U, interest.size());
}

TEST(Interest, WhoLeavesAsksForNothing) {
    Interest interest(10);
    interest.add(kOne, "a");
    interest.add(kOne, "a");
    interest.add(kOne, "b");
    interest.add(kTwo, "b");
    EXPECT_EQ((std::vector<std::string>{"a"}), gone_with(interest, kOne));
    EXPECT_FALSE(interest.has(kOne));
    EXPECT_TRUE(gone_with(interest, kThree).empty());
    EXPECT_FALSE(interest.wants("a1"));
    EXPECT_TRUE(interest.wants("b1"));
    EXPECT_EQ((std::vector<std::string>{"b"}), gone_with(interest, kTwo));
    EXPECT_FALSE(interest.wants("b1"));
}

TEST(Interest, WhatIsHandedOnIsTheOthers) {
    Interest interest(2);
    interest.add(kOne, "a");
    interest.add(kOne, "b");
    interest.add(kOne, "beyond");
    interest.add(kTwo, "b");
    interest.hand_on(kOne, kTwo);
    interest.hand_on(kThree, kTwo);
    EXPECT_FALSE(interest.has(kOne));
    EXPECT_TRUE(interest.wants("z"));
    EXPECT_EQ((std::vector<std::string>{"a", "b"}), gone_with(interest, kTwo));
    EXPECT_FALSE(interest.wants("b"));
}

TEST(Interest, BeyondTheLimitEverythingIsWanted) {
    Interest interest(2);
    EXPECT_FALSE(interest.wants("a"));
    interest.add(kOne, "a");
    interest.add(kOne, "a");  // told again
    interest.add(kOne, "b");
    EXPECT_TRUE(interest.wants("a1"));
    EXPECT_FALSE(interest.wants("c1"));
    interest.add(kOne, "c");
    EXPECT_EQ(2U, interest.size());
    EXPECT_TRUE(interest.wants("c1"));
    EXPECT_TRUE(interest.wants("z"));
    interest.remove(kTwo, "c");
    EXPECT_TRUE(interest.wants("z")) << "it was not the other's";
    interest.remove(kOne, "c");
    EXPECT_FALSE(interest.wants("z"));
    interest.remove(kOne, "a");
    EXPECT_FALSE(interest.wants("a1"));
    interest.remove(kOne, "never there");
    EXPECT_TRUE(interest.wants("b"));
}

TEST(Interest, WhatIsBeyondTheLimitEndsWithItsAskers) {
    Interest interest(1);
    interest.add(kOne, "a");
    interest.add(kTwo, "b");
    interest.add(kTwo, "b");  // told again
    interest.add(kThree, "b");
    EXPECT_TRUE(gone_with(interest, kTwo).empty());
    EXPECT_TRUE(interest.wants("z"));
    EXPECT_TRUE(gone_with(interest, kThree).empty());
    EXPECT_FALSE(interest.wants("z"));
    EXPECT_TRUE(interest.wants("a"));
}

TEST(Interest, WhatOneHasAskedFor) {
    Interest interest(3);
    const auto is = [](Interest::Share share, size_t prefixes, size_t bytes) {
        return share.prefixes == prefixes && share.bytes == bytes;
    };
    EXPECT_TRUE(is(interest.add(kOne, "aa"), 1, 2));
    EXPECT_TRUE(is(interest.add(kOne, "aa"), 1, 2)) << "said again";
    EXPECT_TRUE(is(interest.add(kTwo, "aa"), 1, 2));
    EXPECT_TRUE(is(interest.add(kOne, "b"), 2, 3));
    interest.remove(kOne, "aa");
    EXPECT_TRUE(is(interest.add(kOne, "cccc"), 2, 5));
    interest.hand_on(kOne, kTwo);
    EXPECT_TRUE(is(interest.add(kTwo, "b"), 3, 7));
    interest.leave(kTwo, [](const std::string&) {});
    EXPECT_TRUE(is(interest.add(kTwo, "b"), 1, 1));
}

TEST(Interest, NobodyTalksDownWhatIsNotListed) {
    Interest interest(1);
    interest.add(kOne, "a");
    for (size_t i = 1; i <= 5; ++i) {
        const auto share = interest.add(kTwo, "long" + std::to_string(i));
        EXPECT_EQ(i, share.prefixes);
        EXPECT_EQ(5 * i, share.bytes);
        interest.remove(kTwo, "never there");
        EXPECT_FALSE(interest.wants("z"));
    }
    interest.leave(kTwo, [](const std::string&) {});
    EXPECT_EQ(1U, interest.add(kTwo, "b").prefixes);
}

TEST(Interest, AskersOfAllPrefixesHaveALimitToo) {
    Interest interest(1);
    for (Interest::Asker asker = 0; asker < Interest::kAskersEach; ++asker) {
        interest.add(asker, "a");
    }
    EXPECT_FALSE(interest.wants("z"));
    interest.add(1000, "a");
    EXPECT_TRUE(interest.wants("z"));
    for (Interest::Asker asker = 0; asker < Interest::kAskersEach; ++asker) {
        interest.remove(asker, "a");
    }
    EXPECT_EQ(0U, interest.size());
    EXPECT_TRUE(interest.wants("a"));
    gone_with(interest, 1000);
    EXPECT_FALSE(interest.wants("a"));
}

TEST(Interest, AgreesWithAModel) {
    std::mt19937 dice(11);
    std::set<std::pair<Interest::Asker, std::string>> model;
    Interest interest(100);
    for (int i = 0; i < 20'000; ++i) {
        const Interest::Asker asker = dice() % 4;
        const std::string prefix(1, static_cast<char>('a' + dice() % 6));
        switch (dice() % 16) {
            case 0:
                gone_with(interest, asker);
                std::erase_if(model, [&](const auto& one) { return one.first == asker; });
                break;
            case 1: {
                const Interest::Asker to = (asker + 1) % 4;
                interest.hand_on(asker, to);
                for (const auto& [who, what] : std::set(model)) {
                    if (who == asker) model.emplace(to, what);
                }
                std::erase_if(model, [&](const auto& one) { return one.first == asker; });
                break;
            }
            default:
                if (dice() % 2 == 0) {
                    interest.add(asker, prefix);
                    model.emplace(asker, prefix);
                } else {
                    interest.remove(asker, prefix);
                    model.erase({asker, prefix});
                }
        }
        const auto is_asked_for = [&](std::string_view what) {
            return std::ranges::any_of(model, [&](const auto& one) { return one.second == what; });
        };
        size_t asked_for = 0;
        for (const std::string_view what : {"a", "b", "c", "d", "e", "f"}) {
            ASSERT_EQ(is_asked_for(what), interest.wants(what)) << i;
            asked_for += is_asked_for(what) ? 1 : 0;
        }
        ASSERT_EQ(asked_for, interest.size());
    }
}

}  // namespace
}  // namespace trestle::zmq
