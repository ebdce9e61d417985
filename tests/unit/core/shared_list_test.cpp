// The list against a vector: whatever is done to one copy, the others stay as they were.
#include "core/shared_list.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace trestle {
namespace {

using List = SharedList<std::string>;

std::vector<std::string> all(const List& list) {
    std::vector<std::string> out;
    for (size_t i = 0; i < list.size(); ++i) out.push_back(list[i]);
    return out;
}

TEST(SharedList, GrowsAndShrinksThroughEveryHeight) {
    List list;
    EXPECT_TRUE(list.empty());
    constexpr size_t kMany = 32 * 32 * 32 + 40;
    for (size_t i = 0; i < kMany; ++i) list.push_back(std::to_string(i));
    for (size_t i = 0; i < kMany; ++i) ASSERT_EQ(list[i], std::to_string(i));
    while (!list.empty()) {
        ASSERT_EQ(list[list.size() - 1], std::to_string(list.size() - 1));
        ASSERT_EQ(list[0], "0");
        list.pop_back();
    }
    list.push_back("again");
    EXPECT_EQ(all(list), std::vector<std::string>{"again"});
}

TEST(SharedList, CopiesDoNotSeeEachOther) {
    struct Kept {
        List list;
        std::vector<std::string> wanted;
    };
    std::mt19937 random(3);
    List list;
    std::vector<std::string> model;
    std::deque<Kept> kept;
    for (int step = 0; step < 20'000; ++step) {
        const bool growing = step / 4000 % 2 == 0;
        const unsigned dice = random() % 10;
        const std::string text = std::to_string(step);
        if (dice < (growing ? 7U : 1U) || model.empty()) {
            list.push_back(text);
            model.push_back(text);
        } else if (dice < 8) {
            list.pop_back();
            model.pop_back();
        } else {
            const size_t at = random() % model.size();
            list.set(at, text);
            model[at] = text;
        }
        ASSERT_EQ(list.size(), model.size());
        if (step % 100 != 0) continue;
        ASSERT_EQ(all(list), model);
        kept.push_back({list, model});
        if (kept.size() < 20) continue;
        const Kept& oldest = kept.front();
        ASSERT_EQ(all(oldest.list), oldest.wanted);
        if (random() % 2 == 0) {  // go on from an older copy
            list = oldest.list;
            model = oldest.wanted;
        }
        kept.pop_front();
    }
    for (const auto& one : kept) ASSERT_EQ(all(one.list), one.wanted);
}

}  // namespace
}  // namespace trestle
