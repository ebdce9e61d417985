// No more places than there are, whoever asks, and every one of them can be had again.
#include "core/session_quota.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace trestle {
namespace {

TEST(SessionQuota, PlacesAreGivenBackOnce) {
    Gauge gauge{1};
    SessionQuota quota(2, &gauge);
    SessionQuota other(1);
    auto first = quota.take(0);
    {
        auto second = quota.take(0);
        ASSERT_TRUE(first && second);
        EXPECT_TRUE(second.is_of(quota));
        EXPECT_FALSE(second.is_of(other));
        EXPECT_FALSE(quota.take(0));
        EXPECT_TRUE(other.take(0));
        EXPECT_EQ(gauge.value(), 2);
    }
    EXPECT_EQ(gauge.value(), 1);
    auto moved = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
    first.give_back();
    EXPECT_EQ(gauge.value(), 1);
    auto second = quota.take(0);
    EXPECT_FALSE(quota.take(0));
    moved = std::move(second);  // what it had goes with the other
    EXPECT_EQ(gauge.value(), 2);
    second.give_back();
    EXPECT_EQ(gauge.value(), 1);
    moved.give_back();
    moved.give_back();
    EXPECT_EQ(gauge.value(), 0);
}

// Threads that take and give back without pause: a place that is free is never refused to the only
// one who lacks it.
TEST(SessionQuota, ThreadsHaveAPlaceEachWhenThereIsOneForEach) {
    constexpr ShardIndex kThreads = 4;
    Gauge gauge{kThreads};
    SessionQuota quota(kThreads, &gauge);
    std::vector<std::thread> threads;
    std::atomic<int> refused{0};
    for (ShardIndex shard = 0; shard < kThreads; ++shard) {
        threads.emplace_back([&, shard] {
            for (int i = 0; i < 20'000; ++i) {
                if (!quota.take(shard)) ++refused;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(gauge.value(), 0);
    std::vector<SessionQuota::Place> held;
    for (ShardIndex i = 0; i < kThreads; ++i) held.push_back(quota.take(i));
    EXPECT_TRUE(held.back());
    EXPECT_FALSE(quota.take(0));
}

}  // namespace
}  // namespace trestle
