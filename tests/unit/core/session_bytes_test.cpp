// The account of what all sessions hold: nothing beyond the limit, and all of it comes back.
#include "core/session_bytes.h"

#include <gtest/gtest.h>

#include <thread>

namespace trestle {
namespace {

TEST(SessionBytes, QueuesLeaveAnEighth) {
    SessionBytes bytes(1, 800);
    auto& share = bytes.share(0);
    EXPECT_TRUE(share.has_room_to_queue(700));
    EXPECT_FALSE(share.has_room_to_queue(701));
    share.add(700);
    EXPECT_FALSE(share.has_room_to_queue(1));
    EXPECT_TRUE(share.has_room(100));
    EXPECT_FALSE(share.has_room(101));
    share.give_back(1);
    EXPECT_TRUE(share.has_room_to_queue(1));
    share.give_back(699);
    EXPECT_EQ(bytes.held(), 0);
}

TEST(SessionBytes, APartIsGivenBackOnce) {
    SessionBytes bytes(1, 100);
    auto& share = bytes.share(0);
    SessionBytes::Part first(share, 60);
    EXPECT_TRUE(first);
    EXPECT_FALSE(SessionBytes::Part(share, 41));
    EXPECT_EQ(bytes.held(), 60);
    {
        SessionBytes::Part moved = std::move(first);
        EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
        first = SessionBytes::Part(share, 40);
        EXPECT_EQ(bytes.held(), 100);
    }
    EXPECT_EQ(bytes.held(), 40);
    first = {};
    EXPECT_EQ(bytes.held(), 0);
}

TEST(SessionBytes, OtherShardsCountButForWhatTheyHaveNotTold) {
    constexpr size_t kTell = SessionBytes::kTell;
    SessionBytes bytes(2, 4 * kTell);
    bytes.share(0).add(kTell - 1);
    EXPECT_TRUE(bytes.share(1).has_room(4 * kTell));
    EXPECT_FALSE(bytes.share(0).has_room(4 * kTell));
    bytes.share(0).add(1);
    EXPECT_FALSE(bytes.share(1).has_room(3 * kTell + 1));
    EXPECT_TRUE(bytes.share(1).has_room(3 * kTell));
    bytes.share(1).add(3 * kTell);
    EXPECT_FALSE(bytes.share(0).has_room(1));
    bytes.share(0).give_back(kTell);
    EXPECT_TRUE(bytes.share(1).has_room(kTell));
    bytes.share(1).give_back(3 * kTell);
    EXPECT_EQ(bytes.held(), 0);
}

TEST(SessionBytes, ThreadsTogetherStayWithinTheLimit) {
    constexpr ShardIndex kThreads = 4;
    constexpr size_t kMost = 64u << 20;
    constexpr size_t kStep = 10'000;
    SessionBytes bytes(kThreads, kMost);
    std::vector<size_t> taken(kThreads);
    std::vector<std::thread> threads;
    for (ShardIndex shard = 0; shard < kThreads; ++shard) {
        threads.emplace_back([&, shard] {
            for (; bytes.share(shard).has_room(kStep); taken[shard] += kStep) {
                bytes.share(shard).add(kStep);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    // What a share has not told, and the step that each was looking at meanwhile.
    EXPECT_LE(bytes.held(), int64_t{kMost} + kThreads * (SessionBytes::kTell + int64_t{kStep}));
    EXPECT_GE(bytes.held(), int64_t{kMost} - kThreads * SessionBytes::kTell);
    for (ShardIndex shard = 0; shard < kThreads; ++shard) {
        bytes.share(shard).give_back(taken[shard]);
    }
    EXPECT_EQ(bytes.held(), 0);
    EXPECT_TRUE(bytes.share(0).has_room(kMost - kThreads * SessionBytes::kTell));
}

}  // namespace
}  // namespace trestle
