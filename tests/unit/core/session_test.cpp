// One client's queue and window: what leaves when, in which order, and that the books balance.
#include "core/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"

namespace trestle {
namespace {

using test::Books;
using test::FakeSink;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;

class SessionTest : public testing::Test {
 protected:
    ~SessionTest() override {
        session_.reset();
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.queue_messages.value(), 0);
        EXPECT_EQ(books_.queue_bytes.value(), 0);
        EXPECT_EQ(books_.in_flight.value(), 0);
        EXPECT_EQ(world_.hub.session_bytes().held(), 0);
        EXPECT_EQ(books_.dropped.value(), books_.reasons_sum());
        EXPECT_EQ(world_.hub.subscriptions(), 0u);
    }
    Session& open() {
        session_ = std::make_unique<Session>(world_[0], "client", limits_, books_.ledger);
        session_->subscribe("t", {.qos = Qos::exactly_once});
        return *session_;
    }
    void publish(std::string_view payload, int qos, uint64_t expires_at_ms = kNeverExpires) {
        MessageView view = test::message("t", payload, qos);
        view.expires_at_ms = expires_at_ms;
        world_[0].publish(view, publisher_);
    }
    uint64_t dropped(DropReason reason) { return books_.dropped_for(reason); }

    World world_{1};
    Books books_;
    SessionLimits limits_;
    Publisher publisher_;
    FakeSink sink_;
    std::unique_ptr<Session> session_;
};

TEST_F(SessionTest, OnlyNewSubscriptionsNeedRoom) {
    limits_.subscriptions.max_subscriptions = 2;
    auto& session = open();
    EXPECT_FALSE(session.refuses("other"));
    session.subscribe("other", {});
    session.subscribe("other", {});
    EXPECT_EQ(session.refuses("third"), SubscriptionRefusal::max_subscriptions);
    EXPECT_FALSE(session.refuses("other")) << "it is there already";
    EXPECT_FALSE(session.unsubscribe("third"));
    EXPECT_EQ(session.refuses("third"), SubscriptionRefusal::max_subscriptions);
    session.unsubscribe("other");
    EXPECT_FALSE(session.refuses("third"));
}

TEST_F(SessionTest, EachQosHasItsFlow) {
    auto& session = open();
    session.attach(sink_, 10);
    publish("zero", 0);
    publish("one", 1);
    publish("two", 2);
    ASSERT_EQ(sink_.sent.size(), 3u);
    EXPECT_EQ(sink_.sent[0].packet_id, 0);
    EXPECT_EQ(sink_.sent[1].packet_id, 1);
    EXPECT_EQ(sink_.sent[2].packet_id, 2);
    EXPECT_EQ(session.in_flight(), 2u);
    EXPECT_FALSE(session.on_pubrec(1, false)) << "QoS 1 has no PUBREC";
    EXPECT_FALSE(session.on_puback(2)) << "QoS 2 has no PUBACK";
    EXPECT_FALSE(session.on_pubcomp(2)) << "PUBREC comes first";
    EXPECT_FALSE(session.on_puback(3));
    EXPECT_FALSE(session.on_puback(0));
    EXPECT_TRUE(session.on_puback(1));
    EXPECT_FALSE(session.on_puback(1)) << "a second time";
    EXPECT_TRUE(session.on_pubrec(2, false));
    EXPECT_TRUE(session.on_pubrec(2, false)) << "sent again: PUBREL is sent again";
    EXPECT_THAT(sink_.released, ElementsAre(2, 2));
    EXPECT_TRUE(session.on_pubcomp(2));
    EXPECT_EQ(session.in_flight(), 0u);
    EXPECT_EQ(books_.sent.value(), 1u);
    EXPECT_EQ(books_.acked.value(), 2u);
}

TEST_F(SessionTest, AFailedPubrecEndsTheMessage) {
    auto& session = open();
    session.attach(sink_, 1);
    publish("a", 2);
    publish("b", 2);
    EXPECT_TRUE(session.on_pubrec(1, true));
    EXPECT_THAT(sink_.released, IsEmpty());
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b"));
}

TEST_F(SessionTest, TheWindowHoldsBackAndTheQueueFollowsInOrder) {
    auto& session = open();
    session.attach(sink_, 2);
    for (const auto* payload : {"a", "b", "c", "d"}) publish(payload, 1);
    publish("e", 0);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b"));
    EXPECT_EQ(session.queued(), 3u) << "QoS 0 does not overtake";
    session.on_puback(2);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b", "c"));
    session.on_puback(1);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_F(SessionTest, TheWindowIsBoundedInBytesToo) {
    limits_.max_queued_bytes = 1000;
    auto& session = open();
    session.attach(sink_, 65'535);
    const std::string big(400, 'x');
    for (int i = 0; i < 5; ++i) publish(big, 1);
    EXPECT_EQ(session.in_flight(), 3u);
    session.on_puback(1);
    EXPECT_EQ(session.in_flight(), 3u);
    EXPECT_EQ(session.queued(), 1u);
}

TEST_F(SessionTest, AFullConnectionFillsTheQueueUntilItIsPumped) {
    auto& session = open();
    sink_.room = 1;
    session.attach(sink_, 10);
    publish("a", 0);
    publish("b", 0);
    publish("c", 1);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a"));
    sink_.room = 1;
    session.pump();
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b"));
    sink_.room = 5;
    publish("d", 0);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b")) << "the queue comes first";
    session.pump();
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(SessionTest, DropOldestMakesRoomByMessagesAndBytes) {
    limits_.max_queued_messages = 3;
    limits_.max_queued_bytes = 100;
    auto& session = open();
    for (const auto* payload : {"a", "b", "c", "d"}) publish(payload, 1);
    EXPECT_EQ(session.queued(), 3u);
    EXPECT_EQ(dropped(DropReason::queue_full), 1u);
    publish(std::string(97, 'x'), 1);  // with its topic 98 bytes: one more fits beside it
    EXPECT_EQ(session.queued(), 2u);
    EXPECT_EQ(session.queued_bytes(), 100u);
    publish(std::string(100, 'y'), 1);  // would never fit: nobody makes way for it
    EXPECT_EQ(session.queued(), 2u);
    EXPECT_EQ(dropped(DropReason::queue_full), 4u);
    session.attach(sink_, 10);
    EXPECT_THAT(sink_.payloads(), ElementsAre("d", std::string(97, 'x')));
}

// A message of two bytes that five subscriptions want takes 2 + 5 * 4.
TEST_F(SessionTest, SubscriptionIdentifiersTakeTheirRoom) {
    limits_.max_queued_bytes = 50;
    auto& session = open();
    uint32_t id = 0;
    for (const auto* filter : {"t", "+", "#", "t/#", "+/#"}) {
        session.subscribe(filter, {.qos = Qos::exactly_once, .subscription_id = ++id});
    }
    for (const auto* payload : {"a", "b", "c"}) publish(payload, 2);
    EXPECT_EQ(session.queued(), 2u);
    EXPECT_EQ(session.queued_bytes(), 2 * 22u);
    EXPECT_EQ(dropped(DropReason::queue_full), 1u);
    session.attach(sink_, 10);
    EXPECT_TRUE(session.on_pubrec(1, false));
    EXPECT_TRUE(session.on_pubcomp(1));
    for (const auto* payload : {"d", "e", "f"}) publish(payload, 2);
    EXPECT_EQ(session.in_flight(), 3u) << "the last one exceeds the bound";
}

TEST_F(SessionTest, DropNewestKeepsWhatIsThere) {
    limits_.max_queued_messages = 2;
    limits_.drop_oldest = false;
    auto& session = open();
    for (const auto* payload : {"a", "b", "c"}) publish(payload, 1);
    EXPECT_EQ(dropped(DropReason::queue_full), 1u);
    session.attach(sink_, 10);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b"));
}

TEST_F(SessionTest, QosZeroDoesNotWaitForAnAbsentClient) {
    auto& session = open();
    publish("lost", 0);
    EXPECT_EQ(dropped(DropReason::no_subscriber), 1u);
    sink_.room = 0;
    session.attach(sink_, 10);
    publish("waits", 0);
    publish("stays", 1);
    session.detach();
    EXPECT_EQ(session.queued(), 1u);
    EXPECT_EQ(dropped(DropReason::session_ended), 1u);
    sink_.room = 5;
    session.attach(sink_, 10);
    EXPECT_THAT(sink_.payloads(), ElementsAre("stays"));
}

TEST_F(SessionTest, QosZeroWaitsWhenAsked) {
    limits_.queue_qos0_offline = true;
    auto& session = open();
    publish("a", 0);
    publish("b", 1);
    session.attach(sink_, 10);
    EXPECT_THAT(sink_.payloads(), ElementsAre("a", "b"));
}

TEST_F(SessionTest, WhatExpiredInTheQueueIsNotSent) {
    auto& session = open();
    publish("old", 1, 100);
    publish("young", 1, 101);
    world_.set_now(100);
    session.attach(sink_, 10);
    EXPECT_THAT(sink_.payloads(), ElementsAre("young"));
    EXPECT_EQ(dropped(DropReason::expired), 1u);
}

TEST_F(SessionTest, WhatExpiredIsNotPassedOnToAnotherMember) {  // [MQTT-3.3.2-5]
    auto& session = open();
    session.unsubscribe("t");
    session.subscribe("$share/g/t", {.qos = Qos::at_least_once});
    session.attach(sink_, 2);
    for (const char* payload : {"in flight, expires", "in flight"}) {
        publish(payload, 1, payload[9] == ',' ? 100 : kNeverExpires);
    }
    publish("queued, expires", 1, 100);
    publish("queued", 1);
    Session other(world_[0], "other", limits_, books_.ledger);
    FakeSink others;
    other.attach(others, 10);
    other.subscribe("$share/g/t", {.qos = Qos::at_least_once});
    world_.set_now(100);
    session_.reset();
    EXPECT_THAT(others.payloads(), ElementsAre("in flight", "queued"));
    EXPECT_EQ(dropped(DropReason::expired), 2u);
    EXPECT_EQ(dropped(DropReason::session_ended), 2u);
    EXPECT_EQ(books_.in_flight.value(), 2);
    EXPECT_EQ(books_.balance(), 0);
}

TEST_F(SessionTest, TooLargeForThisClientIsDropped) {
    auto& session = open();
    sink_.largest = 3;
    session.attach(sink_, 10);
    for (int qos = 0; qos < 3; ++qos) publish("large", qos);
    publish("ok", 1);
    EXPECT_THAT(sink_.payloads(), ElementsAre("ok"));
    EXPECT_EQ(dropped(DropReason::too_large), 3u);
    EXPECT_EQ(session.in_flight(), 1u);
}

TEST_F(SessionTest, ANewConnectionGetsWhatWasInFlightAgainInOrder) {
    auto& session = open();
    session.attach(sink_, 10);
    publish("one", 1);
    publish("two", 2);
    publish("released", 2);
    session.on_pubrec(3, false);
    session.detach();
    publish("later", 1);
    FakeSink next;
    session.attach(next, 10);
    ASSERT_THAT(next.payloads(), ElementsAre("one", "two", "later"));
    EXPECT_TRUE(next.sent[0].dup);
    EXPECT_TRUE(next.sent[1].dup);
    EXPECT_FALSE(next.sent[2].dup);
    EXPECT_EQ(next.sent[0].packet_id, 1);
    EXPECT_EQ(next.sent[1].packet_id, 2);
    EXPECT_THAT(next.released, ElementsAre(3));
    EXPECT_TRUE(session.on_pubcomp(3));
}

TEST_F(SessionTest, ResendingKeepsToTheNewReceiveMaximum) {
    auto& session = open();
    session.attach(sink_, 10);
    for (const auto* payload : {"a", "b", "c", "d"}) publish(payload, 1);
    session.detach();
    FakeSink next;
    session.attach(next, 2);
    publish("e", 1);
    EXPECT_THAT(next.payloads(), ElementsAre("a", "b"));
    session.on_puback(1);
    EXPECT_THAT(next.payloads(), ElementsAre("a", "b", "c"));
    session.on_puback(4);  // of the former connection, late
    session.on_puback(2);
    session.on_puback(3);
    EXPECT_THAT(next.payloads(), ElementsAre("a", "b", "c", "e"));
    EXPECT_FALSE(next.sent[3].dup);
}

TEST_F(SessionTest, ResendingWaitsForAConnectionThatIsFull) {
    auto& session = open();
    session.attach(sink_, 10);
    for (const auto* payload : {"a", "b", "c"}) publish(payload, 1);
    session.detach();
    FakeSink next;
    next.room = 1;
    session.attach(next, 10);
    EXPECT_THAT(next.payloads(), ElementsAre("a"));
    next.room = 10;  // and nobody has said so yet
    publish("new", 1);
    EXPECT_THAT(next.payloads(), ElementsAre("a")) << "nothing overtakes what is sent again";
    session.pump();
    EXPECT_THAT(next.payloads(), ElementsAre("a", "b", "c", "new"));
}

TEST_F(SessionTest, WhatIsTooLargeForTheNewConnectionLeavesTheWindow) {
    auto& session = open();
    session.attach(sink_, 2);
    publish("large", 1);
    publish("b", 1);
    publish("c", 1);
    session.detach();
    FakeSink next;
    next.largest = 3;
    session.attach(next, 2);
    EXPECT_THAT(next.payloads(), ElementsAre("b", "c"));
    EXPECT_EQ(dropped(DropReason::too_large), 1u);
    EXPECT_EQ(session.in_flight(), 2u);
}

TEST_F(SessionTest, PacketIdsGoRoundAndSpareTheOneStuckInFlight) {
    auto& session = open();
    session.attach(sink_, 100);
    publish("stuck", 1);
    publish("stuck too", 1);
    uint16_t last = 2;
    for (int i = 0; i < 3 * 65'535; ++i) {
        publish("x", 1);
        const uint16_t id = sink_.sent.back().packet_id;
        ASSERT_EQ(id, last == 65'535 ? 3 : last + 1);
        ASSERT_TRUE(session.on_puback(id));
        last = id;
        sink_.sent.clear();
    }
    EXPECT_EQ(session.in_flight(), 2u);
    EXPECT_TRUE(session.on_puback(1));
    EXPECT_TRUE(session.on_puback(2));
}

TEST_F(SessionTest, AnIdThatIsGivenAgainIsFoundBesideItsFormerPlace) {
    auto& session = open();
    session.attach(sink_, 65'535);
    for (int i = 0; i < 65'535; ++i) publish("x", 1);
    for (uint16_t id = 2; id <= 30'000; ++id) ASSERT_TRUE(session.on_puback(id));
    publish("again", 1);
    ASSERT_EQ(sink_.sent.back().packet_id, 2);
    EXPECT_TRUE(session.on_puback(2));
    EXPECT_FALSE(session.on_puback(2));
    EXPECT_TRUE(session.on_puback(1));
    EXPECT_EQ(session.in_flight(), 35'535u);
}

// Each by a walk through the window, these would be ten thousand million steps.
TEST_F(SessionTest, UnknownAndScatteredIdsAreFoundWithoutAWalk) {
    auto& session = open();
    session.attach(sink_, 65'535);
    for (int i = 0; i < 60'000; ++i) publish("x", 1);
    for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(session.on_puback(60'001 + i % 5'000));
    for (uint16_t id = 2; id <= 60'000; id += 3) ASSERT_TRUE(session.on_puback(id));
    for (uint16_t id = 3; id <= 60'000; id += 3) ASSERT_TRUE(session.on_puback(id));
    while (session.in_flight() < 65'535) publish("x", 1);  // round to the first ones
    for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(session.on_puback(0));
    for (uint32_t id = 65'535; id > 0; --id) ASSERT_TRUE(session.on_puback(uint16_t(id)));
    EXPECT_EQ(session.in_flight(), 0u);
}

TEST_F(SessionTest, EveryPacketIdCanBeInFlight) {
    auto& session = open();
    session.attach(sink_, 65'535);
    for (int i = 0; i < 65'536; ++i) publish("x", 1);
    EXPECT_EQ(session.in_flight(), 65'535u);
    EXPECT_EQ(session.queued(), 1u);
    EXPECT_TRUE(session.on_puback(777));
    EXPECT_EQ(sink_.sent.back().packet_id, 777);
    EXPECT_EQ(session.queued(), 0u);
}

TEST_F(SessionTest, WhatTheClientPublishesOutlivesTheConnection) {
    auto& session = open();
    EXPECT_FALSE(session.release_incoming(5)) << "nothing is made to ask for it";
    session.attach(sink_, 10);
    EXPECT_EQ(session.incoming().arrive(Qos::exactly_once, 5, false), Incoming::Arrival::fresh);
    EXPECT_FALSE(session.incoming().settled(Qos::exactly_once, 5, Outcome::accepted));
    EXPECT_TRUE(session.incoming_in_use(5));
    session.detach();
    EXPECT_FALSE(session.incoming_in_use(5));
    session.attach(sink_, 10);
    EXPECT_EQ(session.incoming().arrive(Qos::exactly_once, 5, true), Incoming::Arrival::finished);
    EXPECT_TRUE(session.release_incoming(5));
}

TEST_F(SessionTest, TheSubscriptionSetsQosAndRetain) {
    auto& session = open();
    session.attach(sink_, 10);
    EXPECT_TRUE(session.subscribe("t", {.qos = Qos::at_least_once, .subscription_id = 7}));
    EXPECT_FALSE(session.subscribe("+", {.retain_as_published = true, .subscription_id = 9}));
    MessageView view = test::message("t", "", 2);
    view.retain = true;
    world_[0].publish(view, publisher_);
    ASSERT_EQ(sink_.sent.size(), 1u) << "overlapping subscriptions make one copy";
    EXPECT_EQ(sink_.sent[0].qos, Qos::at_least_once);
    EXPECT_TRUE(sink_.sent[0].retain);
    EXPECT_THAT(sink_.sent[0].ids, testing::UnorderedElementsAre(7, 9));
    EXPECT_TRUE(session.unsubscribe("+"));
    EXPECT_FALSE(session.unsubscribe("+"));
    world_[0].publish(view, publisher_);
    EXPECT_FALSE(sink_.sent[1].retain);
    EXPECT_TRUE(session.unsubscribe("t"));
    EXPECT_EQ(world_[0].publish(view, publisher_).outcome, Outcome::no_subscriber);
}

}  // namespace
}  // namespace trestle
