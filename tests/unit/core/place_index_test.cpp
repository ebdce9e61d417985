// Places found by table against places found by looking.
#include "core/place_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace trestle {
namespace {

TEST(PlaceIndex, AgreesWithLookingWhileTheListGrowsAndShrinks) {
    std::mt19937 random(11);
    std::vector<int> list;
    PlaceIndex<int> places;
    const auto key_at = [&](size_t place) { return list[place]; };
    for (int step = 0; step < 50'000; ++step) {
        const bool growing = step / 500 % 2 == 0;  // up and down across the sizes that matter
        const int key = static_cast<int>(random() % 100);
        const auto there = std::ranges::find(list, key);
        const size_t found = places.find(key, list.size(), key_at);
        const auto wanted = there - list.begin();
        ASSERT_EQ(found, there == list.end() ? kNowhere : static_cast<size_t>(wanted));
        if (found == kNowhere && (growing || random() % 8 == 0)) {
            list.push_back(key);
            places.added(list.size(), key_at);
        } else if (found != kNowhere && (!growing || random() % 8 == 0)) {
            places.removing(found, list.size(), key_at);
            list[found] = list.back();
            list.pop_back();
        }
    }
}

}  // namespace
}  // namespace trestle
