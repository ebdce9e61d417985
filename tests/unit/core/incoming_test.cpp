// What a client has published and is not finished with, on one connection and over several.
#include "core/incoming.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace trestle {
namespace {

using Arrival = Incoming::Arrival;
constexpr Qos kOne = Qos::at_least_once;
constexpr Qos kTwo = Qos::exactly_once;

/// Takes the answers as they become known.
class Answers final : public IncomingSink {
 public:
    explicit Answers(Incoming& incoming) : incoming_(incoming) {}
    void answers_known(Qos qos) override {
        Incoming::Answer answer;
        while (incoming_.next(qos, answer)) {
            ids.push_back(answer.packet_id);
            outcomes.push_back(answer.outcome);
        }
    }
    std::vector<int> ids;
    std::vector<Outcome> outcomes;

 private:
    Incoming& incoming_;
};

class IncomingTest : public testing::Test {
 protected:
    IncomingTest() { incoming_->attach(answers_); }
    /// A new message whose outcome is still to come; its token.
    uint64_t publish(Qos qos, uint16_t id, bool dup = false) {
        EXPECT_EQ(incoming_->arrive(qos, id, dup), Arrival::fresh);
        const uint64_t token = incoming_->token(id);
        incoming_->pending(qos, id);
        return token;
    }
    void reconnect() {
        incoming_->detach();
        incoming_->attach(answers_);
    }
    std::shared_ptr<Incoming> incoming_ = Incoming::make(3);
    Answers answers_{*incoming_};
};

TEST_F(IncomingTest, WhatIsKnownAtOnceIsAnsweredAtOnce) {
    EXPECT_EQ(incoming_->arrive(kOne, 7, false), Arrival::fresh);
    EXPECT_FALSE(incoming_->settled(kOne, 7, Outcome::accepted));
    EXPECT_EQ(incoming_->open(), 0u);
    // After the answer the id is new again, whatever DUP says [MQTT-4.3.2-5].
    EXPECT_EQ(incoming_->arrive(kOne, 7, true), Arrival::fresh);
    EXPECT_FALSE(incoming_->refused(kOne, 7, 0x97));
}

TEST_F(IncomingTest, AnswersLeaveInTheOrderOfArrival) {  // [MQTT-4.6.0-2]
    const auto first = publish(kOne, 1);
    const auto second = publish(kOne, 2);
    EXPECT_EQ(incoming_->arrive(kOne, 3, false), Arrival::fresh);
    EXPECT_TRUE(incoming_->settled(kOne, 3, Outcome::accepted));
    EXPECT_TRUE(incoming_->refused(kOne, 9, 0x91));
    EXPECT_EQ(incoming_->open(), 4u);
    incoming_->on_settled(second, Outcome::given_up);
    EXPECT_TRUE(answers_.ids.empty());
    incoming_->on_settled(first, Outcome::accepted);
    EXPECT_EQ(answers_.ids, (std::vector<int>{1, 2, 3, 9}));
    EXPECT_EQ(answers_.outcomes[1], Outcome::given_up);
    EXPECT_EQ(incoming_->open(), 0u);
}

TEST_F(IncomingTest, TheTwoQosDoNotWaitForEachOther) {
    publish(kOne, 1);
    EXPECT_EQ(incoming_->arrive(kTwo, 2, false), Arrival::fresh);
    EXPECT_FALSE(incoming_->settled(kTwo, 2, Outcome::accepted));
    EXPECT_EQ(incoming_->open(), 2u) << "until PUBREL";
    EXPECT_EQ(incoming_->arrive(kTwo, 2, false), Arrival::finished);
    EXPECT_TRUE(incoming_->release(2));
    EXPECT_FALSE(incoming_->release(2));
    EXPECT_EQ(incoming_->open(), 1u);
    EXPECT_FALSE(incoming_->release(1)) << "not a QoS 2 id";
}

TEST_F(IncomingTest, AnIdInUseOnThisConnection) {
    const auto token = publish(kOne, 5);
    EXPECT_TRUE(incoming_->in_use(5));
    EXPECT_EQ(incoming_->arrive(kOne, 5, false), Arrival::in_use);
    EXPECT_EQ(incoming_->arrive(kTwo, 5, false), Arrival::in_use);
    EXPECT_EQ(incoming_->arrive(kOne, 5, true), Arrival::joined);
    incoming_->on_settled(token, Outcome::accepted);
    EXPECT_EQ(answers_.ids, std::vector<int>{5}) << "one message, one answer";
    EXPECT_FALSE(incoming_->in_use(5));
}

TEST_F(IncomingTest, SentAgainOverALaterConnectionItJoins) {
    for (const Qos qos : {kOne, kTwo}) {
        answers_.ids.clear();
        const auto early = publish(qos, 1);
        const auto late = publish(qos, 2);
        reconnect();
        EXPECT_EQ(incoming_->open(), 0u);
        EXPECT_FALSE(incoming_->in_use(1));
        incoming_->on_settled(early, Outcome::accepted);
        EXPECT_TRUE(answers_.ids.empty()) << "not asked about yet";
        reconnect();
        EXPECT_EQ(incoming_->arrive(qos, 1, true), Arrival::joined);
        EXPECT_EQ(incoming_->arrive(qos, 2, true), Arrival::joined);
        EXPECT_EQ(incoming_->open(), 2u);
        answers_.answers_known(qos);
        EXPECT_EQ(answers_.ids, std::vector<int>{1});
        incoming_->on_settled(late, Outcome::accepted);
        EXPECT_EQ(answers_.ids, (std::vector<int>{1, 2}));
        EXPECT_EQ(incoming_->release(1), qos == kTwo);
        EXPECT_EQ(incoming_->release(2), qos == kTwo);
    }
}

TEST_F(IncomingTest, WithoutDupTheClientHasForgottenIt) {
    const auto old = publish(kOne, 1);
    reconnect();
    const auto young = publish(kOne, 1);
    incoming_->on_settled(old, Outcome::accepted);
    EXPECT_TRUE(answers_.ids.empty()) << "that was another message";
    incoming_->on_settled(young, Outcome::accepted);
    EXPECT_EQ(answers_.ids, std::vector<int>{1});
}

TEST_F(IncomingTest, WhatWasNotTakenIsNewWhenItComesAgain) {
    const auto away = publish(kOne, 1);
    const auto here = publish(kTwo, 2);
    publish(kTwo, 3);
    incoming_->on_settled(publish(kTwo, 4), Outcome::queue_full);  // 2 and 3 are before it
    incoming_->detach();
    incoming_->on_settled(away, Outcome::timed_out);
    incoming_->on_settled(here, Outcome::given_up);
    incoming_->attach(answers_);
    publish(kOne, 1, true);
    EXPECT_EQ(incoming_->arrive(kTwo, 2, true), Arrival::joined) << "for good: no second try";
    EXPECT_EQ(incoming_->arrive(kTwo, 3, true), Arrival::joined);
    publish(kTwo, 4, true);
}

TEST_F(IncomingTest, NoMoreThanTheWindowIsRememberedForNothing) {
    for (uint16_t id = 1; id <= 8; ++id) incoming_->on_settled(publish(kOne, id), {});
    std::vector<uint64_t> tokens;
    for (uint16_t id = 11; id <= 18; ++id) tokens.push_back(publish(kOne, id));
    incoming_->detach();
    for (const auto token : tokens) incoming_->on_settled(token, Outcome::accepted);
    reconnect();
    EXPECT_EQ(incoming_->arrive(kOne, 11, true), Arrival::fresh);
}

TEST(PacketIdMapTest, DoesWhatAMapDoes) {
    std::mt19937 random(1);
    PacketIdMap<int> map;
    std::map<uint16_t, int> model;
    uint16_t next = 65'500;
    for (int i = 0; i < 100'000; ++i) {
        const bool in_turn = random() % 2 == 0;
        if (in_turn && ++next == 0) ++next;
        const uint16_t id =
            in_turn ? next : static_cast<uint16_t>(random() % (random() % 2 ? 50 : 65'535) + 1);
        if (auto* found = map.find(id)) {
            ASSERT_EQ(*found, model.at(id));
            ASSERT_TRUE(map.erase(id));
            model.erase(id);
        } else {
            ASSERT_FALSE(map.erase(id));
            ASSERT_FALSE(model.contains(id));
            if (model.size() < 300) map.insert(id, model[id] = i);
        }
        if (model.size() >= 300 || random() % 500 == 0) {
            const int keep = static_cast<int>(random() % 3);
            const auto gone = [&](uint16_t one) { return one % 3 != keep; };
            map.erase_if([&](uint16_t one, int&) { return gone(one); });
            std::erase_if(model, [&](const auto& one) { return gone(one.first); });
        }
        ASSERT_EQ(map.size(), model.size());
    }
    for (const auto& [id, value] : model) ASSERT_EQ(*map.find(id), value);
}

}  // namespace
}  // namespace trestle
