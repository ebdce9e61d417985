#include "zmq/interest.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
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

TEST(Interest, BeyondTheLimitEverythingIsWanted) {
    Interest interest(2);
    EXPECT_FALSE(interest.wants("a"));
    interest.add("a");
    interest.add("a");  // told again
    interest.add("b");
    EXPECT_TRUE(interest.wants("a1"));
    EXPECT_FALSE(interest.wants("c1"));
    interest.add("c");
    EXPECT_EQ(2U, interest.size());
    EXPECT_TRUE(interest.wants("c1"));
    EXPECT_TRUE(interest.wants("z"));
    interest.remove("c");
    EXPECT_FALSE(interest.wants("z"));
    interest.remove("a");
    EXPECT_FALSE(interest.wants("a1"));
    interest.remove("never there");
    EXPECT_TRUE(interest.wants("b"));
}

}  // namespace
}  // namespace trestle::zmq
