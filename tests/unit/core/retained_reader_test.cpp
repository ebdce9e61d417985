// What a session gets of the retained messages while they change and while it comes and goes.
#include "core/retained_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/session.h"
#include "fakes.h"

namespace trestle {
namespace {

using test::Books;
using test::FakeSink;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr SubscribeOptions kQos1 = {.qos = Qos::at_least_once};

class RetainedReaderTest : public testing::Test {
 protected:
    ~RetainedReaderTest() override {
        session_.reset();
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.dropped.value(), books_.reasons_sum());
    }
    void retain(std::string_view topic, std::string_view payload, int qos = 1,
                uint64_t expires_at_ms = kNeverExpires) {
        MessageView view = test::message(topic, payload, qos);
        view.retain = true;
        view.expires_at_ms = expires_at_ms;
        world_[0].publish(view, publisher_);
    }
    /// Subscribes with a window of one message: the first one is on its way.
    void open(const std::string& filter = "r/+", const SubscribeOptions& options = kQos1) {
        session_ = std::make_unique<Session>(world_[0], "client", limits_, books_.ledger);
        session_->attach(sink_, 1);
        ask(*session_, filter, options);
    }
    static void ask(Session& session, const std::string& filter,
                    const SubscribeOptions& options = kQos1) {
        session.subscribe(filter, options);
        session.send_retained(filter, options);
    }
    /// So many that to look at all of them is a turn's work.
    void retain_many() {
        for (size_t n = 0; n < 4000; ++n) retain("r/" + std::to_string(n), std::to_string(n));
    }
    /// Acknowledges everything that comes.
    void take_all() {
        for (size_t next = 0; next < sink_.sent.size(); ++next) {
            if (sink_.sent[next].packet_id != 0) session_->on_puback(sink_.sent[next].packet_id);
        }
    }

    World world_{1};
    Books books_;
    SessionLimits limits_;
    Publisher publisher_;
    FakeSink sink_;
    std::unique_ptr<Session> session_;
};

TEST_F(RetainedReaderTest, WhatIsReplacedMeanwhileIsLeftOut) {  // [MQTT-4.6.0-6]
    for (const char* n : {"1", "2", "3", "4", "5"}) retain(std::string("r/") + n, n);
    open();
    retain("r/3", "three");
    retain("r/4", "");
    retain("r/6", "six");
    take_all();
    EXPECT_THAT(sink_.payloads(), ElementsAre("1", "2", "three", "", "six", "5"))
        << "2 waits in the queue already, the live ones behind it";
}

TEST_F(RetainedReaderTest, WhatIsReplacedWhileTheClientIsAwayIsReadAnew) {
    for (const char* n : {"1", "2", "3", "4", "5"}) retain(std::string("r/") + n, n);
    open();
    session_->detach();
    retain("r/3", "three", 0);  // at QoS 0: nobody there
    retain("r/4", "", 0);
    sink_.sent.clear();
    session_->attach(sink_, 1);
    take_all();
    EXPECT_THAT(sink_.payloads(), ElementsAre("1", "2", "three", "5"));
}

TEST_F(RetainedReaderTest, WhatItTookBeforeItWentAwayIsNotSentAgain) {
    for (const char* n : {"1", "2", "3"}) retain(std::string("r/") + n, n, 0);
    sink_.room = 2;
    open();
    session_->detach();
    sink_.room = 10;
    session_->attach(sink_, 1);
    EXPECT_THAT(sink_.payloads(), ElementsAre("1", "2", "3"));
}

TEST_F(RetainedReaderTest, WhatExpiresMeanwhileIsNotSent) {  // [MQTT-3.3.2-5]
    for (const char* n : {"1", "2", "3", "4"}) retain(std::string("r/") + n, n, 1, 100);
    retain("r/5", "5");
    open();
    world_.set_now(100);
    world_.hub.retained().remove_expired(100, 2);  // whether the store has noticed or not
    take_all();
    EXPECT_THAT(sink_.payloads(), ElementsAre("1", "5"));
    EXPECT_EQ(books_.dropped_for(DropReason::expired), 3u);
}

TEST_F(RetainedReaderTest, EachFilterIsReadOnceInTheOrderOfTheLastSubscription) {
    for (const char* n : {"1", "2", "3", "4"}) retain(std::string("r/") + n, n);
    retain("s/1", "s1");
    retain("s/2", "s2");
    open("s/+");  // one is on its way, one waits: it takes no more
    for (const char* n : {"1", "2", "3", "4", "1"}) {
        const std::string filter = std::string("r/") + n;
        ask(*session_, filter);
    }
    session_->unsubscribe("r/3");
    take_all();
    while (world_.executors[0].run() != 0) take_all();
    EXPECT_THAT(sink_.payloads(), ElementsAre("s1", "s2", "2", "4", "1"));
}

// By one search through all for each of them this takes a hundred times as long as the rest of
// the tests together.
TEST_F(RetainedReaderTest, AGreatManyFiltersWait) {
    retain("s/1", "1");
    retain("s/2", "2");
    open("s/+");
    constexpr size_t kMany = 50'000;
    for (size_t round = 0; round < 2; ++round) {
        for (size_t n = 0; n < kMany; ++n) {
            const std::string filter = "many/" + std::to_string(n);
            ask(*session_, filter);
        }
    }
    EXPECT_EQ(session_->subscriptions().size(), kMany + 1);
    session_->unsubscribe_all();
    take_all();
    world_.executors[0].run();
    EXPECT_THAT(sink_.payloads(), ElementsAre("1", "2")) << "nothing is left to be read";
}

/// Walks over all topics of `retain_many` and matches none.
std::string fruitless(size_t n) { return "r/+/" + std::to_string(n); }

TEST_F(RetainedReaderTest, ManyFiltersOfOneClientAreReadInManyTurns) {
    retain_many();
    open(fruitless(0));
    for (size_t n = 1; n < 20; ++n) ask(*session_, fruitless(n));
    EXPECT_GE(world_.executors[0].run(), 10u) << "two in a turn at most";
}

TEST_F(RetainedReaderTest, FiltersOfManyClientsAreReadInManyTurns) {
    retain_many();
    std::vector<std::unique_ptr<Session>> sessions;
    for (size_t n = 0; n < 20; ++n) {
        sessions.push_back(std::make_unique<Session>(world_[0], "client" + std::to_string(n),
                                                     limits_, books_.ledger));
        sessions.back()->attach(sink_, 1);
        ask(*sessions.back(), "r/+/none");
    }
    EXPECT_GE(world_.executors[0].run(), 10u) << "two in a turn at most";
}

TEST_F(RetainedReaderTest, WhoReadsMuchKeepsNobodyWaiting) {
    retain_many();
    open(fruitless(0));
    for (size_t n = 1; n < 20; ++n) ask(*session_, fruitless(n));
    Session other(world_[0], "other", limits_, books_.ledger);
    FakeSink sink;
    other.attach(sink, 1);
    ask(other, "r/7", {});
    auto& turns = world_.executors[0].queue;
    for (size_t n = 0; n < 2 && !turns.empty(); ++n) {
        const auto turn = std::move(turns.front());
        turns.pop_front();
        turn();
    }
    EXPECT_THAT(sink.payloads(), ElementsAre("7"));
    EXPECT_FALSE(turns.empty()) << "the first one is not done";
}

}  // namespace
}  // namespace trestle
