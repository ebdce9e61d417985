#include "core/overlap_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "core/topic.h"

namespace trestle {
namespace {

TEST(OverlapTree, AgreesWithComparingEachPair) {
    std::mt19937 dice(11);
    const auto filter = [&] {
        std::string text;
        const size_t levels = 1 + dice() % 4;
        for (size_t i = 0; i < levels; ++i) {
            if (i != 0) text += '/';
            const auto roll = dice() % 8;
            if (roll == 0 && i + 1 == levels) {
                text += '#';
            } else {
                text += roll < 3 ? "+" : std::string(1, static_cast<char>('a' + roll % 3));
            }
        }
        return text;
    };
    for (int round = 0; round < 30; ++round) {
        OverlapTree tree;
        std::vector<std::string> all;
        for (size_t i = 0; i < 100; ++i) {
            all.push_back(filter());
            tree.add(all.back(), i);
        }
        for (int i = 0; i < 100; ++i) {
            const std::string wanted = filter();
            const auto found = tree.overlapping(wanted);
            EXPECT_TRUE(std::ranges::is_sorted(found));
            for (size_t n = 0; n < all.size(); ++n) {
                ASSERT_EQ(filters_overlap(wanted, all[n]), std::ranges::binary_search(found, n))
                    << wanted << " and " << all[n];
            }
        }
    }
}

TEST(OverlapTree, DoesNotLookAtWhatCannotMatch) {
    OverlapTree tree;
    for (size_t i = 0; i < 1000; ++i) tree.add("site/" + std::to_string(i) + "/+", i);
    tree.add("#", 1000);
    EXPECT_EQ((std::vector<size_t>{7, 1000}), tree.overlapping("site/7/temperature"));
    EXPECT_EQ(1001U, tree.overlapping("site/+/temperature").size());
}

}  // namespace
}  // namespace trestle
