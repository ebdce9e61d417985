#include "core/route_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "fakes.h"

namespace trestle {
namespace {

using Offered = RouteQueue::Offered;

class Outcomes final : public AckReceiver {
 public:
    void on_settled(uint64_t token, Outcome outcome) override { told.emplace_back(token, outcome); }
    std::vector<std::pair<uint64_t, Outcome>> told;
};

/// A busy sink: everything goes into its queue until the test takes it out.
class BusySink final : public RouteSink {
 public:
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override {
        if (!queue) queue = std::make_unique<RouteQueue>(route->options(), route->ledger());
        last = queue->offer(shard, key, true, delivery, now_ms);
    }
    std::unique_ptr<RouteQueue> queue;
    uint64_t now_ms = 1000;
    Offered last = Offered::dropped;
};

class RouteQueueTest : public testing::Test {
 protected:
    RouteQueueTest() : hub_(1), hub_shard_(hub_, 0, executor_, timers_, carrier_) {
        options_.name = "r";
        options_.max_messages = 3;
        options_.block_ms = 100;
        publisher_.client_id = "client";
    }
    ~RouteQueueTest() override {
        EXPECT_EQ(0, books_.balance());
        if (sink_.queue) sink_.queue->drop_all(1, DropReason::shutdown);
        EXPECT_EQ(0, books_.balance());
        EXPECT_EQ(0, books_.ledger.queue_messages->value());
        EXPECT_EQ(0, books_.ledger.queue_bytes->value());
    }

    void use_options() {
        std::vector<MappingFault> faults;
        std::vector<MappingFault> warnings;
        const auto mapping = Mapping::compile({"t", "k", true, false}, faults, warnings);
        ASSERT_TRUE(mapping);
        hub_.set_routes({std::make_shared<Route>(options_, *mapping, EndpointId{1}, &sink_,
                                                 EndpointId{0}, books_.ledger)});
        is_routed_ = true;
    }

    PublishResult publish(std::string_view payload, Qos qos, bool can_wait = true,
                          uint64_t expires_at_ms = kNeverExpires) {
        if (!is_routed_) use_options();
        MessageView message;
        message.topic = "t";
        message.payload = payload;
        message.qos = qos;
        message.expires_at_ms = expires_at_ms;
        const std::weak_ptr<AckReceiver> waiter = outcomes_;
        const bool waits = can_wait && qos != Qos::at_most_once;
        return hub_shard_.publish(message, publisher_, waits ? &waiter : nullptr, ++token_);
    }
    Offered offer(std::string_view payload, Qos qos, bool can_wait = true) {
        publish(payload, qos, can_wait);
        return sink_.last;
    }
    RouteQueue& queue() { return *sink_.queue; }
    uint64_t& now() { return sink_.now_ms; }

    /// The payload sent next; empty when there is nothing to send.
    std::string send_one() {
        const auto* item = queue().front(0, now());
        if (item == nullptr) return {};
        std::string payload(item->message->view().payload);
        queue().front_sent(0, now());
        return payload;
    }
    std::vector<std::string> send_all() {
        std::vector<std::string> sent;
        for (std::string one = send_one(); !one.empty(); one = send_one()) sent.push_back(one);
        return sent;
    }
    std::vector<std::pair<uint64_t, Outcome>> told() {
        executor_.run();
        return std::exchange(outcomes_->told, {});
    }

    RouteOptions options_;
    test::RouteBooks books_;
    test::FakeExecutor executor_;
    TimerQueue timers_;
    Hub hub_;
    test::FakeCarrier carrier_;
    HubShard hub_shard_;
    BusySink sink_;
    Publisher publisher_;
    std::shared_ptr<Outcomes> outcomes_ = std::make_shared<Outcomes>();
    uint64_t token_ = 0;
    bool is_routed_ = false;
};

using Strings = std::vector<std::string>;
using Told = std::vector<std::pair<uint64_t, Outcome>>;

constexpr Qos kQos0 = Qos::at_most_once;
constexpr Qos kQos1 = Qos::at_least_once;

TEST_F(RouteQueueTest, KeepsOrderAndCountsPassages) {
    for (const auto* payload : {"a", "b", "c"}) {
        const auto result = publish(payload, kQos1);
        EXPECT_FALSE(result.pending);
        EXPECT_EQ(Outcome::accepted, result.outcome);
        EXPECT_EQ(Offered::queued, sink_.last);
    }
    EXPECT_EQ(3, books_.ledger.queue_messages->value());
    EXPECT_EQ(9, books_.ledger.queue_bytes->value());  // topic, key and payload
    EXPECT_EQ("client", queue().front(0, now())->client);
    EXPECT_EQ("k", queue().front(0, now())->key);
    EXPECT_EQ((Strings{"a", "b", "c"}), send_all());
    EXPECT_TRUE(queue().empty());
    EXPECT_EQ(3U, books_.ledger.sent->value());
    EXPECT_EQ(3U, books_.ledger.queued->value());
}

TEST_F(RouteQueueTest, TheRoutesQosIsTheMost) {
    options_.qos_out = kQos0;
    offer("a", Qos::exactly_once);
    EXPECT_EQ(kQos0, queue().front(0, now())->qos);
}

TEST_F(RouteQueueTest, DropNewest) {
    options_.when_full = WhenFull::drop_newest;
    for (const auto* payload : {"a", "b", "c", "d"}) offer(payload, kQos1);
    EXPECT_EQ(Offered::dropped, sink_.last);
    EXPECT_EQ((Strings{"a", "b", "c"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::queue_full));
}

TEST_F(RouteQueueTest, DropOldestDropsWhateverItIs) {
    options_.when_full = WhenFull::drop_oldest;
    offer("a", kQos1);
    for (const auto* payload : {"b", "c", "d", "e"}) offer(payload, kQos0);
    EXPECT_EQ((Strings{"c", "d", "e"}), send_all());
    EXPECT_EQ(2U, books_.dropped_for(DropReason::queue_full));
}

TEST_F(RouteQueueTest, DropOldestMakesRoomInBytes) {
    options_.when_full = WhenFull::drop_oldest;
    options_.max_messages = 100;
    options_.max_bytes = 40;
    for (int i = 0; i < 4; ++i) offer("12345678", kQos0);            // 10 bytes each
    EXPECT_EQ(Offered::queued, offer("123456789012345678", kQos0));  // 20
    EXPECT_EQ(3U, queue().size());
    EXPECT_EQ(40U, queue().bytes());
    EXPECT_EQ(2U, books_.dropped_for(DropReason::queue_full));
}

TEST_F(RouteQueueTest, ByQosDropsTheOldestOfQos0Only) {
    offer("a", kQos1);
    offer("b", kQos0);
    offer("c", kQos0);
    EXPECT_EQ(Offered::queued, offer("d", kQos0));
    EXPECT_EQ((Strings{"a", "c", "d"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::queue_full));
}

TEST_F(RouteQueueTest, ByQosDropsTheNewOneWhenOnlyAcknowledgedOnesAreThere) {
    for (const auto* payload : {"a", "b", "c"}) offer(payload, kQos1);
    EXPECT_EQ(Offered::dropped, offer("d", kQos0));
    EXPECT_EQ((Strings{"a", "b", "c"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::queue_full));
}

TEST_F(RouteQueueTest, ByQosSparesQos0WhenItsBytesWouldNotDo) {
    options_.max_messages = 100;
    options_.max_bytes = 30;
    offer("12345678", kQos1);
    offer("12345678", kQos0);
    EXPECT_EQ(Offered::dropped, offer("1234567890123456789", kQos0));  // 21 bytes beside 10
    EXPECT_EQ(2U, queue().size());
}

TEST_F(RouteQueueTest, AWaiterMovesInWhenThereIsRoom) {
    for (const auto* payload : {"a", "b", "c"}) offer(payload, kQos1);
    EXPECT_TRUE(publish("d", kQos1).pending);
    EXPECT_TRUE(publish("e", kQos1).pending);
    EXPECT_EQ(2U, queue().waiting());
    EXPECT_EQ(5, books_.ledger.queue_messages->value());
    EXPECT_EQ(3U, books_.ledger.queued->value());
    EXPECT_EQ(Told(), told());
    EXPECT_EQ("a", send_one());
    EXPECT_EQ((Told{{4, Outcome::accepted}}), told());
    EXPECT_EQ((Strings{"b", "c", "d", "e"}), send_all());
    EXPECT_EQ((Told{{5, Outcome::accepted}}), told());
    EXPECT_EQ(RouteQueue::kNothing, queue().next_due_ms());
}

TEST_F(RouteQueueTest, WaitersAreRefusedInOrderWhenTheirTimeIsUp) {
    for (const auto* payload : {"a", "b", "c"}) offer(payload, kQos1);
    publish("d", kQos1);
    now() += 40;
    publish("e", kQos1);
    EXPECT_EQ(1100U, queue().next_due_ms());
    queue().refuse_overdue(0, 1099);
    EXPECT_EQ(Told(), told());
    queue().refuse_overdue(0, 1100);
    EXPECT_EQ((Told{{4, Outcome::queue_full}}), told());
    EXPECT_EQ(1140U, queue().next_due_ms());
    queue().refuse_overdue(0, 1200);
    EXPECT_EQ((Told{{5, Outcome::queue_full}}), told());
    EXPECT_EQ(2U, books_.ledger.refused->value());
    EXPECT_EQ(2U, books_.dropped_for(DropReason::queue_full));
    EXPECT_EQ(3, books_.ledger.queue_messages->value());
}

TEST_F(RouteQueueTest, NothingOvertakesAWaiter) {
    options_.max_messages = 100;
    options_.max_bytes = 40;
    offer("12345678", kQos1);
    offer("12345678", kQos1);
    publish("123456789012345678901234567890", kQos1);  // does not fit beside them
    EXPECT_TRUE(publish("s", kQos1).pending) << "it would fit, but is not first";
    EXPECT_EQ((Strings{"12345678", "12345678", "123456789012345678901234567890", "s"}), send_all());
}

TEST_F(RouteQueueTest, WithoutTimeToBlockItRefusesAtOnce) {
    options_.block_ms = 0;
    for (const auto* payload : {"a", "b", "c"}) offer(payload, kQos1);
    const auto result = publish("d", kQos1);
    EXPECT_FALSE(result.pending);
    EXPECT_EQ(Outcome::queue_full, result.outcome);
    EXPECT_EQ(1U, books_.ledger.refused->value());
}

TEST_F(RouteQueueTest, APublisherThatCannotWaitLosesTheMessageUnderBlock) {
    options_.when_full = WhenFull::block;
    for (const auto* payload : {"a", "b", "c"}) offer(payload, kQos1);
    EXPECT_EQ(Offered::dropped, offer("d", kQos0));
    EXPECT_EQ(Offered::dropped, offer("e", kQos1, false));
    EXPECT_EQ(2U, books_.dropped_for(DropReason::queue_full));
    EXPECT_EQ(0U, books_.ledger.refused->value());
}

TEST_F(RouteQueueTest, WaitersHaveALimitInBytes) {
    offer("a", kQos1);
    offer("b", kQos1);
    offer("c", kQos1);
    const std::string large(RouteQueue::kLeastWaitingBytes - 10, 'x');
    for (int i = 0; i < 4; ++i) EXPECT_EQ(Offered::waiting, offer(large, kQos1));
    EXPECT_EQ(Offered::refused, offer(large, kQos1));
    EXPECT_EQ(1U, books_.ledger.refused->value());
}

TEST_F(RouteQueueTest, WhatCanNeverFitIsTooLarge) {
    options_.max_bytes = 10;
    EXPECT_EQ(Outcome::given_up, publish("123456789", kQos1).outcome);
    EXPECT_EQ(Outcome::accepted, publish("123456789", kQos0).outcome);
    EXPECT_EQ(2U, books_.dropped_for(DropReason::too_large));
}

TEST_F(RouteQueueTest, ExpiredOnesAreDroppedAtTheirTurn) {
    publish("a", kQos1, true, 1500);
    publish("b", kQos1);
    now() = 1500;
    EXPECT_EQ((Strings{"b"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::expired));
}

TEST_F(RouteQueueTest, ExpiredOnesMakeRoomInAFullQueue) {
    publish("a", kQos1);
    publish("b", kQos1, true, 1500);
    publish("c", kQos1, true, 9000);
    now() = 1499;
    EXPECT_TRUE(publish("d", kQos1).pending);
    now() = 2600;
    EXPECT_TRUE(publish("e", kQos1).pending);
    EXPECT_EQ((Told{{4, Outcome::accepted}}), told());
    EXPECT_EQ((Strings{"a", "c", "d", "e"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::expired));
}

TEST_F(RouteQueueTest, AWaiterThatExpiresIsDroppedAsSuch) {
    for (const auto* payload : {"a", "b", "c"}) publish(payload, kQos1);
    publish("d", kQos1, true, 1050);
    now() = 1060;
    EXPECT_EQ((Strings{"a", "b", "c"}), send_all());
    EXPECT_EQ(1U, books_.dropped_for(DropReason::expired));
    EXPECT_EQ((Told{{4, Outcome::accepted}}), told());
}

TEST_F(RouteQueueTest, DroppingAllRefusesThoseWhoWait) {
    for (const auto* payload : {"a", "b", "c", "d"}) publish(payload, kQos1);
    queue().drop_all(1, DropReason::route_removed);
    EXPECT_EQ(3U, books_.dropped_for(DropReason::route_removed));
    EXPECT_EQ((Told{{4, Outcome::queue_full}}), told());
    EXPECT_TRUE(queue().empty());
}

TEST_F(RouteQueueTest, GapsDoNotPileUpBehindAnAcknowledgedMessage) {
    options_.max_messages = 10;
    offer("first", kQos1);
    for (int i = 0; i < 100'000; ++i) offer(std::to_string(i), kQos0);
    EXPECT_EQ(10U, queue().size());
    Strings expected{"first"};
    for (int i = 99'991; i < 100'000; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(expected, send_all());
}

TEST_F(RouteQueueTest, RandomOperationsBalanceAndKeepAcknowledgedOnes) {
    for (const auto policy :
         {WhenFull::by_qos, WhenFull::block, WhenFull::drop_oldest, WhenFull::drop_newest}) {
        SCOPED_TRACE(static_cast<int>(policy));
        std::mt19937 random(20'240 + static_cast<unsigned>(policy));
        const auto below = [&random](uint32_t n) { return static_cast<uint32_t>(random() % n); };
        options_.when_full = policy;
        options_.max_messages = 20;
        options_.max_bytes = 300;
        if (sink_.queue) sink_.queue->drop_all(0, DropReason::shutdown);
        sink_.queue.reset();
        use_options();
        uint64_t last_sent[2] = {0, 0};  // of QoS 0, of QoS 1
        uint64_t accepted_at_once = 0;
        uint64_t pending = 0;
        uint64_t told_accepted = 0;
        uint64_t told_full = 0;
        uint64_t sent_qos1 = 0;
        const auto settle = [&] {
            for (const auto& [token, outcome] : told()) {
                --pending;
                ++(outcome == Outcome::accepted ? told_accepted : told_full);
            }
        };
        for (int step = 0; step < 20'000; ++step) {
            now() += below(4);
            if (below(3) != 0) {
                std::string payload = std::to_string(step + 1);
                payload.append(below(30), ' ');
                const bool is_qos1 = below(2) == 0;
                const uint64_t expiry = below(5) == 0 ? now() + below(60) : kNeverExpires;
                const auto result = publish(payload, is_qos1 ? kQos1 : kQos0, true, expiry);
                if (is_qos1 && result.pending) ++pending;
                if (is_qos1 && !result.pending && result.outcome == Outcome::accepted) {
                    ++accepted_at_once;
                }
            } else if (sink_.queue) {
                queue().refuse_overdue(0, now());
                if (const auto* item = queue().front(0, now())) {
                    const auto number = std::stoull(std::string(item->message->view().payload));
                    uint64_t& last = last_sent[item->qos == kQos1 ? 1 : 0];
                    ASSERT_GT(number, last);
                    last = number;
                    sent_qos1 += item->qos == kQos1 ? 1 : 0;
                    queue().front_sent(below(2), now());
                }
            }
            settle();
            ASSERT_EQ(0, books_.balance()) << "at step " << step;
            if (!sink_.queue) continue;
            ASSERT_LE(queue().size(), options_.max_messages);
            ASSERT_LE(queue().bytes(), options_.max_bytes);
            ASSERT_EQ(static_cast<int64_t>(queue().size() + queue().waiting()),
                      books_.ledger.queue_messages->value());
            ASSERT_EQ(pending, queue().waiting());
        }
        if (policy == WhenFull::by_qos) {
            // Nothing that was acknowledged is lost, but what expired.
            while (const auto* item = queue().front(0, now())) {
                sent_qos1 += item->qos == kQos1 ? 1 : 0;
                queue().front_sent(0, now());
            }
            settle();
            EXPECT_EQ(0U, pending);
            EXPECT_LE(sent_qos1, accepted_at_once + told_accepted);
            EXPECT_GE(sent_qos1 + books_.dropped_for(DropReason::expired),
                      accepted_at_once + told_accepted);
            EXPECT_GT(told_full, 0U);
            EXPECT_GT(told_accepted, 0U);
        }
        EXPECT_GT(books_.dropped_for(DropReason::expired), 0U);
    }
}

}  // namespace
}  // namespace trestle
