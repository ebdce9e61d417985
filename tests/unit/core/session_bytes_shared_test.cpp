// Sessions that share one account: who is away takes no more than there is, and who reads goes on.
#include <gtest/gtest.h>

#include "core/session_table.h"
#include "fakes.h"

namespace trestle {
namespace {

using test::Books;
using test::FakeSink;
using test::World;

class SharedBytesTest : public testing::Test {
 protected:
    static constexpr size_t kMost = 80'000;
    static constexpr size_t kForQueues = kMost - kMost / 8;
    ~SharedBytesTest() override {
        sessions_.clear();
        EXPECT_EQ(held(), 0u);
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.queue_bytes.value(), 0);
    }
    /// Subscribed to a topic by its name.
    Session& open(const std::string& name) {
        sessions_.push_back(std::make_unique<Session>(world_[0], name, limits_, books_.ledger));
        sessions_.back()->subscribe(name, {.qos = Qos::exactly_once});
        return *sessions_.back();
    }
    void publish(std::string_view topic, size_t bytes = 1000) {
        const std::string payload(bytes, 'x');
        world_[0].publish(test::message(topic, payload, 1), publisher_);
    }
    size_t held() { return static_cast<size_t>(world_.hub.session_bytes().held()); }

    World world_{1, kMost};
    Books books_;
    SessionLimits limits_;
    Publisher publisher_;
    FakeSink sink_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

TEST_F(SharedBytesTest, ManyQueuesTogetherHoldNoMoreThanTheLimit) {
    for (int i = 0; i < 20; ++i) {
        const std::string name = "away" + std::to_string(i);
        open(name);
        for (int n = 0; n < 10; ++n) {
            publish(name);
            ASSERT_LE(held(), kForQueues);
        }
    }
    EXPECT_GT(held(), kForQueues - 2000);
    EXPECT_EQ(books_.dropped_for(DropReason::queue_full),
              200u - static_cast<uint64_t>(books_.queue_messages.value()));
    EXPECT_EQ(sessions_.back()->queued(), 0u);
}

TEST_F(SharedBytesTest, AFullAccountLetsASessionReplaceItsOwn) {
    auto& first = open("first");
    for (int n = 0; n < 10; ++n) publish("first");
    auto& second = open("second");
    for (int n = 0; n < 100; ++n) publish("second");
    const size_t most = held();
    publish("first");
    EXPECT_EQ(first.queued(), 10u);
    publish("first", 3002);  // takes the place of three
    EXPECT_EQ(first.queued(), 8u);
    EXPECT_GT(second.queued(), 0u);
    EXPECT_LE(held(), most);
    publish("first", 50'000);  // larger than all that it has: loses nothing for it
    EXPECT_EQ(first.queued(), 8u);
}

TEST_F(SharedBytesTest, DropNewestKeepsWhatWaits) {
    limits_.drop_oldest = false;
    auto& session = open("away");
    for (int n = 0; n < 100; ++n) publish("away");
    const size_t queued = session.queued();
    publish("away");
    EXPECT_EQ(session.queued(), queued);
    EXPECT_EQ(books_.dropped_for(DropReason::queue_full), 101u - queued);
}

TEST_F(SharedBytesTest, FullQueuesOfOthersDoNotStopWhoReads) {
    open("away");
    for (int n = 0; n < 100; ++n) publish("away");
    auto& reader = open("reader");
    reader.attach(sink_, 100);
    for (uint16_t n = 1; n <= 200; ++n) {
        publish("reader");
        ASSERT_EQ(sink_.sent.size(), n);
        ASSERT_TRUE(reader.on_puback(n));
    }
}

TEST_F(SharedBytesTest, WhatIsInFlightCountsAndStaysCountedWhenTheClientIsAway) {
    for (int i = 0; i < 20; ++i) {
        const std::string name = "deaf" + std::to_string(i);
        auto& session = open(name);
        session.attach(sink_, 100);
        for (int n = 0; n < 10; ++n) publish(name);
        session.detach();
    }
    // All are sent four, less than a step; and more as long as there is room.
    EXPECT_EQ(sessions_.front()->in_flight(), 10u);
    EXPECT_EQ(sessions_.back()->in_flight(), 4u);
    EXPECT_GT(held(), kMost - 2000);
    EXPECT_LT(held(), kMost + 20 * (4096 + 4 * 256));
    EXPECT_EQ(
        books_.in_flight.value() + static_cast<int64_t>(books_.dropped_for(DropReason::queue_full)),
        200);
    auto& first = *sessions_.front();
    const size_t before = held();
    first.attach(sink_, 100);
    for (uint16_t id = 1; id <= 10; ++id) ASSERT_TRUE(first.on_puback(id));
    EXPECT_LT(held(), before - 10'000);
}

}  // namespace
}  // namespace trestle
