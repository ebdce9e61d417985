// The ring against std::deque.
#include "core/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace trestle {
namespace {

TEST(Ring, DoesWhatADequeDoes) {
    std::mt19937 random(1);
    for (int round = 0; round < 50; ++round) {
        Ring<std::string> ring;
        std::deque<std::string> model;
        for (int i = 0; i < 2000; ++i) {
            const std::string value = "a value beyond the small buffer " + std::to_string(i);
            switch (random() % (round % 2 == 0 ? 7 : 5)) {
                case 0:
                    ring.push_front(value);
                    model.push_front(value);
                    break;
                case 1:
                case 5:
                case 6:
                    ring.push_back(value);
                    model.push_back(value);
                    break;
                case 2:
                    if (model.empty()) break;
                    ASSERT_EQ(ring.pop_front(), model.front());
                    model.pop_front();
                    break;
                case 3:
                    if (model.empty()) break;
                    ASSERT_EQ(ring.pop_back(), model.back());
                    model.pop_back();
                    break;
                default:
                    if (random() % 200 == 0) {
                        ring.clear();
                        model.clear();
                    }
                    ring.shrink();
            }
            ASSERT_EQ(ring.size(), model.size());
            ASSERT_EQ(ring.empty(), model.empty());
            if (model.empty()) continue;
            ASSERT_EQ(ring.front(), model.front());
            ASSERT_EQ(ring.back(), model.back());
            const size_t at = random() % model.size();
            ASSERT_EQ(ring[at], model[at]);
        }
    }
}

TEST(Ring, LetsGoOfWhatWasTakenOut) {
    const auto value = std::make_shared<int>(1);
    Ring<std::shared_ptr<int>> ring;
    for (int i = 0; i < 8; ++i) ring.push_back(value);
    EXPECT_EQ(value.use_count(), 9);
    ring.pop_front();
    ring.pop_back();
    EXPECT_EQ(value.use_count(), 7) << "no slot keeps it";
    Ring<std::shared_ptr<int>> moved = std::move(ring);
    EXPECT_EQ(moved.size(), 6u);
    moved.clear();
    EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace trestle
