// Sessions by client id: take-over, expiry, the end, and the gauges of it all.
#include "core/session_table.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace trestle {
namespace {

using test::Books;
using test::FakeSink;
using test::message;
using test::World;

class SessionTableTest : public testing::Test {
 protected:
    SessionTableTest() { table_.count_in({&connected_, &disconnected_}); }
    ~SessionTableTest() override {
        table_.end_all(DropReason::shutdown);
        EXPECT_EQ(table_.size(), 0u);
        expect_gauges(0, 0);
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.queue_messages.value(), 0);
        EXPECT_EQ(world_.hub.session_bytes().held(), 0);
        EXPECT_EQ(world_.hub.subscriptions(), 0u);
        EXPECT_EQ(world_.timers[0].size(), 0u);
    }
    /// A client that lets go when told to, like a connection.
    struct Holder final : SessionHolder {
        explicit Holder(SessionTable& t, uint32_t expiry = 60) : table(t), expiry_s(expiry) {}
        void take_over() override {
            ++taken;
            table.let_go(*std::exchange(entry, nullptr), expiry_s, nullptr);
        }
        SessionTable& table;
        SessionTable::Entry* entry = nullptr;
        uint32_t expiry_s;
        int taken = 0;
    };
    void open(Holder& holder, const char* id) {
        holder.entry = &table_.create(id, holder, limits_, books_.ledger);
        holder.entry->session().subscribe("t", {.qos = Qos::at_least_once});
    }
    void run_until(uint64_t now_ms) {
        world_.set_now(now_ms);
        world_.timers[0].run(now_ms);
    }
    void expect_gauges(int64_t connected, int64_t disconnected) {
        EXPECT_EQ(connected_.value(), connected);
        EXPECT_EQ(disconnected_.value(), disconnected);
    }

    World world_{1};
    Books books_;
    SessionLimits limits_;
    Gauge connected_{2};
    Gauge disconnected_{2};
    Publisher publisher_;
    SessionTable& table_ = world_[0].sessions();
};

TEST_F(SessionTableTest, FindsWhatWasMade) {
    Holder holder(table_);
    EXPECT_EQ(table_.find("a"), nullptr);
    open(holder, "a");
    EXPECT_EQ(table_.find("a"), holder.entry);
    EXPECT_EQ(table_.find("A"), nullptr);
    EXPECT_EQ(holder.entry->holder, &holder);
    EXPECT_EQ(holder.entry->session().client_id(), "a");
    expect_gauges(1, 0);
}

TEST_F(SessionTableTest, ASessionOutlivesItsConnectionForItsExpiry) {
    Holder holder(table_);
    FakeSink sink;
    open(holder, "a");
    holder.entry->session().attach(sink, 10);
    table_.let_go(*holder.entry, 60, nullptr);
    expect_gauges(0, 1);
    world_[0].publish(message("t", "kept", 1), publisher_);
    run_until(59'999);
    ASSERT_NE(table_.find("a"), nullptr);
    EXPECT_FALSE(table_.find("a")->session().attached());
    EXPECT_EQ(table_.find("a")->holder, nullptr);
    run_until(60'000);
    EXPECT_EQ(table_.find("a"), nullptr);
    expect_gauges(0, 0);
    EXPECT_EQ(books_.dropped_for(DropReason::session_ended), 1u);
    EXPECT_EQ(world_[0].publish(message("t", "nobody", 1), publisher_).outcome,
              Outcome::no_subscriber);
}

TEST_F(SessionTableTest, ComingBackStopsTheExpiry) {
    Holder first(table_);
    Holder second(table_);
    FakeSink sink;
    open(first, "a");
    auto& entry = *first.entry;
    table_.let_go(entry, 60, nullptr);
    world_[0].publish(message("t", "kept", 1), publisher_);
    run_until(50'000);
    table_.hold(entry, second);
    expect_gauges(1, 0);
    entry.session().attach(sink, 10);
    EXPECT_EQ(sink.payloads(), std::vector<std::string>{"kept"});
    run_until(1'000'000);
    EXPECT_EQ(table_.find("a"), &entry);
    // The next expiry counts from the next end.
    table_.let_go(entry, 60, nullptr);
    run_until(1'059'999);
    EXPECT_NE(table_.find("a"), nullptr);
    run_until(1'060'000);
    EXPECT_EQ(table_.find("a"), nullptr);
}

TEST_F(SessionTableTest, ZeroEndsAtOnceAndTheLargestNever) {
    Holder brief(table_);
    Holder lasting(table_);
    Holder long_one(table_);
    open(brief, "brief");
    open(lasting, "lasting");
    open(long_one, "long");
    table_.let_go(*brief.entry, 0, nullptr);
    EXPECT_EQ(table_.find("brief"), nullptr);
    table_.let_go(*lasting.entry, kSessionNeverExpires, nullptr);
    table_.let_go(*long_one.entry, kSessionNeverExpires - 1, nullptr);
    run_until(uint64_t{4'294'967'293} * 1000);
    EXPECT_NE(table_.find("long"), nullptr) << "136 years do not overflow";
    run_until(uint64_t{4'294'967'294} * 1000);
    EXPECT_EQ(table_.find("long"), nullptr);
    EXPECT_NE(table_.find("lasting"), nullptr);
    expect_gauges(0, 1);
}

TEST_F(SessionTableTest, AnotherConnectionTakesOver) {
    Holder first(table_);
    Holder second(table_);
    open(first, "a");
    auto* entry = table_.find("a");
    entry->holder->take_over();
    EXPECT_EQ(first.taken, 1);
    ASSERT_EQ(table_.find("a"), entry);
    table_.hold(*entry, second);
    EXPECT_EQ(entry->holder, &second);
    expect_gauges(1, 0);
    EXPECT_EQ(entry->session().subscriptions().size(), 1u);
}

TEST_F(SessionTableTest, ATakeOverMayEndTheSession) {
    Holder first(table_, 0);
    open(first, "a");
    table_.find("a")->holder->take_over();
    EXPECT_EQ(table_.find("a"), nullptr);
    Holder second(table_);
    open(second, "a");
    expect_gauges(1, 0);
}

TEST_F(SessionTableTest, EndDropsASessionThatWaits) {
    Holder holder(table_);
    open(holder, "a");
    table_.let_go(*holder.entry, 60, nullptr);
    world_[0].publish(message("t", "lost", 1), publisher_);
    table_.end(*table_.find("a"));
    expect_gauges(0, 0);
    EXPECT_EQ(books_.dropped_for(DropReason::session_ended), 1u);
    run_until(60'000);  // its timer is gone with it
}

TEST_F(SessionTableTest, EndWhileHeldKeepsTheGaugesRight) {
    Holder holder(table_);
    open(holder, "a");
    table_.end(*holder.entry);
    EXPECT_EQ(table_.find("a"), nullptr);
    expect_gauges(0, 0);
}

TEST_F(SessionTableTest, AWillWaitsForItsDelayTheEndOrTheClientsReturn) {
    test::FakeSubscriber mourner;
    world_[0].subscribe(mourner, "will", {});
    const auto will = [](std::string_view payload, uint32_t delay_s) {
        auto made = std::make_unique<Will>();
        made->message = Message::copy_of(message("will", payload));
        made->delay_s = delay_s;
        return made;
    };
    Holder holder(table_);
    open(holder, "a");
    auto& entry = *holder.entry;
    table_.let_go(entry, 60, will("at once", 0));
    EXPECT_EQ(mourner.payloads(), std::vector<std::string>{"at once"});
    table_.hold(entry, holder);
    table_.let_go(entry, 60, will("forgotten", 10));
    run_until(9'999);
    table_.hold(entry, holder);
    run_until(10'000);
    EXPECT_EQ(mourner.got.size(), 1u);
    table_.let_go(entry, 60, will("after its delay", 10));
    run_until(20'000);
    EXPECT_EQ(mourner.payloads().back(), "after its delay");
    table_.hold(entry, holder);
    table_.let_go(entry, 60, will("at the end", 3600));
    run_until(79'999);
    EXPECT_EQ(mourner.got.size(), 2u);
    run_until(80'000);
    EXPECT_EQ(mourner.payloads().back(), "at the end");
    EXPECT_EQ(table_.find("a"), nullptr);
    run_until(10'000'000);
    EXPECT_EQ(mourner.got.size(), 3u) << "once";
    world_[0].unsubscribe(mourner, "will");
}

TEST_F(SessionTableTest, NoLocalHoldsForAWillToo) {  // [MQTT-3.8.3-3]
    Holder holder(table_);
    open(holder, "a");
    auto& entry = *holder.entry;
    auto& session = entry.session();
    session.subscribe("will", {.qos = Qos::at_least_once, .no_local = true});
    const auto will = [&](uint32_t delay_s) {
        auto made = std::make_unique<Will>();
        made->from.self = &session;
        made->message = Message::copy_of(message("will", "x", 1));
        made->delay_s = delay_s;
        return made;
    };
    table_.let_go(entry, 60, will(0));
    EXPECT_EQ(session.queued(), 0u);
    table_.hold(entry, holder);
    table_.let_go(entry, 60, will(10));
    run_until(10'000);
    EXPECT_EQ(session.queued(), 0u);
    world_[0].publish(message("will", "another's", 1), publisher_);
    EXPECT_EQ(session.queued(), 1u);
}

TEST_F(SessionTableTest, EndAllDropsWithItsReason) {
    Holder holders[] = {Holder(table_), Holder(table_), Holder(table_)};
    const char* const ids[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; ++i) open(holders[i], ids[i]);
    FakeSink sink;
    holders[0].entry->session().attach(sink, 10);
    table_.let_go(*holders[1].entry, 60, nullptr);
    expect_gauges(2, 1);
    world_[0].publish(message("t", "x", 1), publisher_);
    table_.end_all(DropReason::shutdown);
    EXPECT_EQ(table_.size(), 0u);
    EXPECT_EQ(books_.dropped_for(DropReason::shutdown), 3u);
    EXPECT_EQ(books_.dropped_for(DropReason::session_ended), 0u);
    expect_gauges(0, 0);
}

TEST_F(SessionTableTest, IsWalkedInOrderFromAnywhere) {
    Holder holders[] = {Holder(table_), Holder(table_), Holder(table_), Holder(table_)};
    const char* const ids[] = {"b", "d", "a", "c"};
    for (size_t i = 0; i < 4; ++i) open(holders[i], ids[i]);
    const auto walk = [&](std::string_view after, size_t most) {
        std::string seen;
        table_.walk(after, [&](SessionTable::Entry& entry) {
            seen += entry.session().client_id();
            return seen.size() < most;
        });
        return seen;
    };
    EXPECT_EQ(walk("", 10), "abcd");
    EXPECT_EQ(walk("", 2), "ab");
    EXPECT_EQ(walk("b", 10), "cd");
    EXPECT_EQ(walk("bb", 10), "cd") << "the one where a page ended may be gone";
    EXPECT_EQ(walk("d", 10), "");
}

TEST_F(SessionTableTest, APlaceAmongTheLastingEndsWithTheSession) {
    Gauge lasting{2};
    SessionQuota quota(2, &lasting);
    Holder holders[] = {Holder(table_), Holder(table_)};
    const char* const ids[] = {"a", "b"};
    for (size_t i = 0; i < 2; ++i) {
        open(holders[i], ids[i]);
        holders[i].entry->place = quota.take(0);
    }
    EXPECT_EQ(lasting.value(), 2);
    table_.let_go(*holders[0].entry, 60, nullptr);
    EXPECT_FALSE(quota.take(0));
    run_until(60'000);
    EXPECT_EQ(lasting.value(), 1);
    table_.end_all(DropReason::shutdown);
    EXPECT_EQ(lasting.value(), 0);
}

TEST_F(SessionTableTest, TellsWhenASessionEnds) {
    Holder holder(table_);
    open(holder, "a");
    EXPECT_EQ(table_.find("a")->expires_at_ms(), 0u);
    run_until(500);
    table_.let_go(*holder.entry, 60, nullptr);
    EXPECT_EQ(table_.find("a")->expires_at_ms(), 60'500u);
}

}  // namespace
}  // namespace trestle
