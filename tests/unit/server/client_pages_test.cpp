// Pages of 100,000 sessions: each costs its shard as much as the page has, or a bounded search.
#include "server/api/client_pages.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "../core/fakes.h"

namespace trestle {
namespace {

class ClientPages : public testing::Test {
 protected:
    static constexpr size_t kSessions = 100'000;

    /// Every look at a session that is in use asks its holder.
    struct Holder final : SessionHolder {
        void take_over() override {}
        [[nodiscard]] ConnectionReport report() const override {
            ++looks;
            return {1, "MQTT 5.0", "192.0.2.1:1", "somebody", 60, 0};
        }
        mutable size_t looks = 0;
    };

    ClientPages() {
        for (size_t i = 0; i < kSessions; ++i) {
            const size_t shard = i % 2;
            world_[shard].sessions().create(name(i), holders_[shard], limits_, books_.ledger);
        }
    }
    ~ClientPages() override {
        for (size_t i = 0; i < 2; ++i) world_[i].sessions().end_all(DropReason::shutdown);
    }
    static std::string name(size_t i) {
        char text[16];
        std::snprintf(text, sizeof text, "c%06zu", i);
        return text;
    }
    Page<SessionItem> page(const SessionsWanted& wanted) {
        for (auto& holder : holders_) holder.looks = 0;
        return merge_pages<SessionItem>({page_of(world_[0], wanted), page_of(world_[1], wanted)},
                                        wanted.limit);
    }

    test::World world_{2};
    test::Books books_;
    SessionLimits limits_;
    Holder holders_[2];
};

TEST_F(ClientPages, CostTheirLengthWhereverTheyBegin) {
    SessionsWanted wanted;
    wanted.limit = 1000;
    size_t next = 0;
    for (;;) {
        const auto got = page(wanted);
        for (const auto& item : got.items) EXPECT_EQ(item.key, name(next++));
        for (const auto& holder : holders_) EXPECT_LE(holder.looks, wanted.limit);
        if (!got.next) break;
        wanted.after = *got.next;
    }
    EXPECT_EQ(next, kSessions);
}

TEST_F(ClientPages, AreBoundedByBytesAsWell) {
    constexpr size_t kLongNames = 100;
    constexpr size_t kLength = 60'000;
    for (size_t i = 0; i < kLongNames; ++i) {
        world_[0].sessions().create("d" + name(i) + std::string(kLength, 'x'), holders_[0], limits_,
                                    books_.ledger);
    }
    SessionsWanted wanted;
    wanted.limit = 1000;
    wanted.after = name(kSessions);
    size_t found = 0;
    do {
        const auto got = page(wanted);
        EXPECT_LE(got.items.size(), kMostPageBytes / kLength + 1);
        found += got.items.size();
        wanted.after = got.next.value_or("");
    } while (!wanted.after.empty());
    EXPECT_EQ(found, kLongNames);
}

TEST_F(ClientPages, ASearchIsDoneInPortions) {
    SessionsWanted wanted;
    wanted.limit = 100;
    wanted.search = "99";
    std::set<std::string> found;
    size_t pages = 0;
    do {
        const auto got = page(wanted);
        for (const auto& item : got.items) EXPECT_TRUE(found.insert(item.key).second) << item.key;
        for (const auto& holder : holders_) {
            EXPECT_LE(holder.looks, kMostSessionsVisited + wanted.limit);
        }
        wanted.after = got.next.value_or("");
        ++pages;
    } while (!wanted.after.empty());
    size_t expected = 0;
    for (size_t i = 0; i < kSessions; ++i) {
        if (name(i).find("99") != std::string::npos) ++expected;
    }
    EXPECT_EQ(found.size(), expected);
    EXPECT_GE(pages, kSessions / 2 / kMostSessionsVisited);
}

TEST_F(ClientPages, ASearchForNobodyEndsEachPortionInTime) {
    SessionsWanted wanted;
    wanted.limit = 1;
    wanted.connected = false;
    const auto got = page(wanted);
    EXPECT_TRUE(got.items.empty());
    ASSERT_TRUE(got.next) << "a page may be empty without being the last";
    EXPECT_EQ(*got.next, name(2 * kMostSessionsVisited - 2));
}

}  // namespace
}  // namespace trestle
