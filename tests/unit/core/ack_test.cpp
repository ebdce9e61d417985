// Acks: one report per message, on the publisher's shard, with the worst outcome.
#include "core/ack.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "fakes.h"

namespace trestle {
namespace {

using test::FakeExecutor;

struct Receiver final : AckReceiver {
    void on_settled(uint64_t token, Outcome outcome) override {
        tokens.push_back(token);
        outcomes.push_back(outcome);
    }
    std::vector<uint64_t> tokens;
    std::vector<Outcome> outcomes;
};

class AckTest : public testing::Test {
 protected:
    boost::intrusive_ptr<PendingAck> pending(uint64_t token = 7) {
        return new PendingAck(executor_, receiver_, token);
    }
    FakeExecutor executor_;
    std::shared_ptr<Receiver> receiver_ = std::make_shared<Receiver>();
};

TEST_F(AckTest, SettlesOnceAndLater) {
    Ack ack(pending());
    EXPECT_TRUE(ack);
    ack.settle(Outcome::accepted);
    EXPECT_FALSE(ack);
    ack.settle(Outcome::queue_full);
    EXPECT_TRUE(receiver_->tokens.empty()) << "never on the same stack";
    EXPECT_EQ(executor_.run(), 1u);
    EXPECT_EQ(receiver_->tokens, std::vector<uint64_t>{7});
    EXPECT_EQ(receiver_->outcomes, std::vector{Outcome::accepted});
}

TEST_F(AckTest, TheWorstOfAllSharesCounts) {
    const Outcome orders[][3] = {{Outcome::accepted, Outcome::timed_out, Outcome::dead_lettered},
                                 {Outcome::timed_out, Outcome::accepted, Outcome::dead_lettered},
                                 {Outcome::dead_lettered, Outcome::accepted, Outcome::timed_out}};
    for (const auto& order : orders) {
        const auto shared = pending();
        std::vector<Ack> shares;
        for (int i = 0; i < 3; ++i) shares.emplace_back(shared);
        for (size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(executor_.queue.size(), 0u) << "not before the last one";
            shares[i].settle(order[i]);
        }
        EXPECT_EQ(executor_.run(), 1u);
        EXPECT_EQ(receiver_->outcomes.back(), Outcome::timed_out);
    }
}

TEST_F(AckTest, DestroyedUnsettledMeansGivenUp) {
    { const Ack ack(pending()); }
    executor_.run();
    EXPECT_EQ(receiver_->outcomes, std::vector{Outcome::given_up});
}

TEST_F(AckTest, MovesWithoutSettling) {
    Ack first(pending(1));
    Ack second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT: a moved-from ack is empty
    first.settle(Outcome::queue_full);
    EXPECT_EQ(executor_.run(), 0u);
    Ack third(pending(3));
    third = std::move(second);  // what it held is given up
    EXPECT_EQ(executor_.run(), 1u);
    EXPECT_EQ(receiver_->tokens, std::vector<uint64_t>{3});
    auto& self = third;
    third = std::move(self);
    EXPECT_TRUE(third);
    third.settle(Outcome::accepted);
    executor_.run();
    EXPECT_EQ(receiver_->tokens, (std::vector<uint64_t>{3, 1}));
    EXPECT_EQ(receiver_->outcomes, (std::vector{Outcome::given_up, Outcome::accepted}));
}

TEST_F(AckTest, AReceiverThatIsGoneIsNotCalled) {
    Ack before(pending());
    Ack between(pending());
    between.settle(Outcome::accepted);
    receiver_.reset();
    before.settle(Outcome::accepted);
    EXPECT_EQ(executor_.run(), 2u);
}

/// Like a shard's mailbox: posting is safe from any thread.
struct Mailbox final : Executor {
    void post(std::function<void()> work) override {
        const std::lock_guard guard(mutex);
        queue.push_back(std::move(work));
    }
    std::mutex mutex;
    std::vector<std::function<void()>> queue;
};

TEST_F(AckTest, OtherThreadsSettleTheirSharesAtOnce) {
    Mailbox mailbox;
    for (uint64_t round = 0; round < 200; ++round) {
        boost::intrusive_ptr<PendingAck> shared(new PendingAck(mailbox, receiver_, round));
        Ack own(shared);
        std::vector<std::thread> threads;
        for (uint8_t i = 0; i < 3; ++i) {
            threads.emplace_back([ack = Ack(shared), i]() mutable {
                if (i != 2) ack.settle(static_cast<Outcome>(i));  // the third is forgotten
            });
        }
        shared = nullptr;
        own.settle(Outcome::accepted);
        for (auto& thread : threads) thread.join();
        threads.clear();
    }
    ASSERT_EQ(mailbox.queue.size(), 200u);
    for (auto& work : mailbox.queue) work();
    for (uint64_t round = 0; round < 200; ++round) {
        EXPECT_EQ(receiver_->tokens[round], round);
        EXPECT_EQ(receiver_->outcomes[round], Outcome::given_up);
    }
}

}  // namespace
}  // namespace trestle
