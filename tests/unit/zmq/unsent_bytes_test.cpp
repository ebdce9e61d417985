// What libzmq holds for one peer: places, and who is told when there is room again.
#include "zmq/unsent_bytes.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace trestle::zmq {
namespace {

class UnsentBytesTest : public testing::Test {
 protected:
    std::vector<std::string> told_;
    std::optional<UnsentBytes> unsent_{std::in_place, 100,
                                       [this](const std::string& peer) { told_.push_back(peer); }};
};

TEST_F(UnsentBytesTest, EachPeerHasItsOwnRoom) {
    auto first = unsent_->take("a", 60);
    auto second = unsent_->take("a", 40);
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(unsent_->take("a", 1));
    EXPECT_TRUE(unsent_->take("b", 100));
    first.reset();
    EXPECT_TRUE(unsent_->take("a", 60));
}

TEST_F(UnsentBytesTest, WhatIsLargerThanAllTheRoomGoesAlone) {
    auto small = unsent_->take("a", 1);
    EXPECT_FALSE(unsent_->take("a", 500));
    small.reset();
    auto large = unsent_->take("a", 500);
    EXPECT_TRUE(large);
    EXPECT_FALSE(unsent_->take("a", 1));
}

TEST_F(UnsentBytesTest, WhoWasRefusedIsToldOnceWhenHalfOfItIsFree) {
    std::vector<UnsentBytes::Place> places;
    for (int i = 0; i < 10; ++i) places.push_back(unsent_->take("a", 10));
    const auto of_other = unsent_->take("b", 10);
    places.pop_back();
    EXPECT_FALSE(unsent_->take("a", 20));
    while (places.size() > 6) places.pop_back();
    EXPECT_TRUE(told_.empty());
    places.pop_back();
    EXPECT_EQ(std::vector<std::string>{"a"}, told_);
    places.clear();
    EXPECT_EQ(1U, told_.size());
}

TEST_F(UnsentBytesTest, NobodyIsToldWhoWasNotRefused) {
    unsent_->take("a", 100).reset();
    EXPECT_TRUE(told_.empty());
}

TEST_F(UnsentBytesTest, PlacesMayOutliveIt) {
    auto place = unsent_->take("a", 100);
    EXPECT_FALSE(unsent_->take("a", 100));
    unsent_.reset();
    place.reset();
    EXPECT_TRUE(told_.empty());
}

TEST_F(UnsentBytesTest, PeersThatHaveGoneAreForgottenAndOthersAreNot) {
    const auto kept = unsent_->take("stays", 100);
    for (int i = 0; i < 10'000; ++i) unsent_->take(std::to_string(i), 100).reset();
    EXPECT_FALSE(unsent_->take("stays", 1));
    EXPECT_LE(unsent_->peers(), 200U);
}

// Whenever the last place of a peer that was refused ends, somebody is told: a worker that nobody
// is told of would wait for ever.
TEST(UnsentBytes, NoRefusalIsForgottenWhilePlacesEndOnAnotherThread) {
    std::atomic<int> told{0};
    UnsentBytes unsent(100, [&](const std::string&) { ++told; });
    for (int i = 0; i < 2000; ++i) {
        auto place = unsent.take("a", 100);
        ASSERT_TRUE(place);
        std::thread other([&place] { place.reset(); });
        const int before = told;
        const bool is_refused = unsent.take("a", 100) == nullptr;
        other.join();
        ASSERT_TRUE(!is_refused || told > before) << i;
    }
}

}  // namespace
}  // namespace trestle::zmq
