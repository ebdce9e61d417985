// What clients ask of the hub is done in portions: others are served in between.
#include "zmq/hub_services.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "test_gateway.h"
#include "zmq/router_endpoint.h"

namespace trestle::zmq {
namespace {

/// Counts the turns of a shard, as work that is posted again and again.
class Turns {
 public:
    explicit Turns(Shard& shard) : shard_(shard) {
        TestGateway::run_on(shard_, [&] { go_on(); });
    }
    ~Turns() {
        TestGateway::run_on(shard_, [&] { is_over_ = true; });
        TestGateway::run_on(shard_, [] {});  // what was posted has run
    }
    [[nodiscard]] size_t count() const { return count_; }

 private:
    void go_on() {
        ++count_;
        if (!is_over_) shard_.post([this] { go_on(); });
    }
    Shard& shard_;
    size_t count_ = 0;
    bool is_over_ = false;
};

void retain(TestGateway& gateway, int messages, const std::string& payload = "x") {
    for (int i = 0; i < messages; ++i) {
        const std::string topic = "r/" + std::to_string(i) + "/v";
        MessageView view;
        view.topic = topic;
        view.payload = payload;
        view.retain = true;
        gateway.shard(0).hub().hub().retained().keep(Message::copy_of(view), 0);
    }
}

/// The services of a router, and what they answer.
class Services {
 public:
    struct Answered {
        size_t turn;
        bool is_final;
        Parts body;
    };
    explicit Services(TestGateway& gateway, const HubServices::Limits& limits)
        : home_(gateway.shard(0)), context_(gateway, 1, "workers", home_, Log()), turns_(home_) {
        TestGateway::run_on(home_, [&] {
            services_ = std::make_unique<HubServices>(
                context_, context_.counters("zmq"), limits,
                [this](const ClientAddress& client, bool is_final, HubServices::Frames body) {
                    if (is_final && full_at_the_end_.erase(client.peer) != 0) {
                        return Socket::Sent::full;
                    }
                    answers_[client.peer].push_back(
                        {turns_.count(), is_final, Parts(body.begin(), body.end())});
                    return client.peer == "slow" ? Socket::Sent::full : Socket::Sent::yes;
                });
            services_->start();
        });
    }
    ~Services() {
        TestGateway::run_on(home_, [&] { services_.reset(); });
    }

    /// The turn of the calls; they are all made in one.
    size_t ask_for_retained(const std::vector<std::pair<std::string, Dialect>>& clients,
                            const Parts& body) {
        size_t turn = 0;
        TestGateway::run_on(home_, [&] {
            turn = turns_.count();
            for (const auto& [peer, dialect] : clients) {
                const ClientAddress client{peer, {}, dialect, "mqtt.retained", nullptr};
                services_->call(
                    std::make_shared<ServiceCall>(ServiceCall{client, ++connection_, body}));
            }
        });
        return turn;
    }
    void lose_connection(uint64_t connection) {
        TestGateway::run_on(home_, [&] { services_->connection_lost(connection); });
    }
    bool is_busy() {
        bool is_busy = false;
        TestGateway::run_on(home_, [&] { is_busy = services_->is_busy(); });
        return is_busy;
    }
    /// Once it is complete.
    std::vector<Answered> answer_to(const std::string& peer) {
        std::vector<Answered> answer;
        EXPECT_TRUE(eventually([&] {
            TestGateway::run_on(home_, [&] { answer = answers_[peer]; });
            return !answer.empty() && answer.back().is_final;
        }));
        return answer;
    }

 private:
    Shard& home_;
    EndpointContext context_;
    Turns turns_;
    std::unique_ptr<HubServices> services_;
    std::map<std::string, std::vector<Answered>> answers_;
    std::set<std::string> full_at_the_end_{"just full"};  // once
    uint64_t connection_ = 0;
};

constexpr HubServices::Limits kLimits{100, 100, 60'000, 60'000};

TEST(HubServices, ALongLookIsTakenInManyTurns) {
    constexpr int kRetained = 50'000;
    constexpr size_t kLeastTurns = kRetained / RetainedTree::kMostVisited;
    TestGateway gateway;
    retain(gateway, kRetained);
    Services services(gateway, kLimits);
    for (const auto dialect : {Dialect::mdp1, Dialect::mdp2}) {
        const std::string one = dialect == Dialect::mdp1 ? "a1" : "b1";
        const std::string two = dialect == Dialect::mdp1 ? "a2" : "b2";
        const size_t begun =
            services.ask_for_retained({{one, dialect}, {two, dialect}}, {"+/+/nothing"});
        const auto first = services.answer_to(one);
        const auto second = services.answer_to(two);
        EXPECT_EQ("200", first.back().body.at(0));
        // They take turns, each of them has one portion in a turn, and no two share one.
        EXPECT_GE(first.back().turn, begun + 2 * kLeastTurns);
        EXPECT_GT(second.back().turn, first.back().turn);
        EXPECT_LE(second.back().turn, first.back().turn + 2);
    }
}

TEST(HubServices, PagesAreWhatTheyWere) {
    TestGateway gateway;
    retain(gateway, 250);
    Services services(gateway, kLimits);
    std::set<std::string> seen;
    std::string place;
    for (const auto* peer : {"1", "2", "3"}) {
        services.ask_for_retained({{peer, Dialect::mdp1}}, {"r/+/v", place});
        const auto answer = services.answer_to(peer);
        ASSERT_EQ(1U, answer.size());
        const Parts& body = answer[0].body;
        ASSERT_EQ(*peer == '3' ? 2U + 3 * 50 : 2U + 3 * 100, body.size());
        EXPECT_EQ(*peer == '3' ? "200" : "206", body[0]);
        for (size_t i = 2; i < body.size(); i += 3) EXPECT_TRUE(seen.insert(body[i]).second);
        place = body[1];
    }
    EXPECT_EQ(250U, seen.size());
    EXPECT_EQ("", place);
}

TEST(HubServices, LargeMessagesMakeShortPages) {
    TestGateway gateway;
    retain(gateway, 10, std::string(300'000, 'x'));
    Services services(gateway, kLimits);
    size_t messages = 0;
    std::string place;
    for (const auto* peer : {"1", "2", "3"}) {
        services.ask_for_retained({{peer, Dialect::mdp1}}, {"#", place});
        const Parts body = services.answer_to(peer).at(0).body;
        EXPECT_EQ(*peer == '3' ? 2U : 4U, (body.size() - 2) / 3);
        messages += (body.size() - 2) / 3;
        place = body[1];
    }
    EXPECT_EQ(10U, messages);
    // In parts: as much in a turn.
    const size_t begun = services.ask_for_retained({{"parts", Dialect::mdp2}}, {"#"});
    const auto parts = services.answer_to("parts");
    ASSERT_EQ(11U, parts.size());
    EXPECT_GE(parts.back().turn, begun + 2);
}

TEST(HubServices, WhoHasNoTimeLeftGetsWhatWasFound) {
    TestGateway gateway;
    retain(gateway, 20'000);
    HubServices::Limits limits = kLimits;
    limits.timeout_ms = 0;
    Services services(gateway, limits);
    services.ask_for_retained({{"page", Dialect::mdp1}, {"parts", Dialect::mdp2}}, {"+/+/none"});
    const Parts page = services.answer_to("page").at(0).body;
    ASSERT_EQ(2U, page.size());
    EXPECT_EQ("206", page[0]);
    EXPECT_NE("", page[1]);
    EXPECT_EQ((Parts{"408"}), services.answer_to("parts").back().body);
}

TEST(HubServices, TheEndWaitsForRoomAsThePartsDo) {
    TestGateway gateway;
    retain(gateway, 100);
    Services services(gateway, kLimits);
    services.ask_for_retained({{"just full", Dialect::mdp2}}, {"#"});
    const auto answer = services.answer_to("just full");
    ASSERT_EQ(101U, answer.size());
    EXPECT_EQ((Parts{"200"}), answer.back().body);
    EXPECT_EQ(0, gateway.metric("trestle_messages_dropped_total"));
}

TEST(HubServices, ALookForOneWhoHasGoneEnds) {
    TestGateway gateway;
    retain(gateway, 100);
    Services services(gateway, {1, 1, 60'000, 60'000});
    services.ask_for_retained({{"slow", Dialect::mdp2}, {"late", Dialect::mdp2}}, {"#"});
    EXPECT_EQ((Parts{"503"}), services.answer_to("late").back().body);
    EXPECT_TRUE(services.is_busy());
    services.lose_connection(1);
    EXPECT_FALSE(services.is_busy());
    services.ask_for_retained({{"next", Dialect::mdp2}}, {"#"});
    EXPECT_EQ(101U, services.answer_to("next").size());
}

/// Notes in which turn each message comes.
class TurnCollector final : public Subscriber {
 public:
    TurnCollector(TestGateway& gateway, const Turns& turns) : gateway_(gateway), turns_(turns) {
        TestGateway::run_on(gateway_.shard(0),
                            [&] { gateway_.shard(0).hub().subscribe(*this, "t", {}); });
    }
    ~TurnCollector() override {
        TestGateway::run_on(gateway_.shard(0),
                            [&] { gateway_.shard(0).hub().unsubscribe(*this, "t"); });
    }
    void deliver(Delivery& /*delivery*/, const SubscriptionMatch& /*match*/) override {
        ++by_turn_[turns_.count()];
        ++count_;
    }
    size_t count() {
        size_t count = 0;
        TestGateway::run_on(gateway_.shard(0), [&] { count = count_; });
        return count;
    }
    size_t most_in_a_turn() {
        size_t most = 0;
        for (const auto& [turn, count] : by_turn_) most = std::max(most, count);
        return most;
    }

 private:
    TestGateway& gateway_;
    const Turns& turns_;
    std::map<size_t, size_t> by_turn_;
    size_t count_ = 0;
};

TEST(RouterEndpoint, PublishesOfPeersTakeManyTurns) {
    constexpr size_t kPublishes = 700;
    TestGateway gateway;
    auto& router = gateway.add<RouterEndpoint>("workers", settings_for("router"));
    Turns turns(gateway.shard(0));
    TurnCollector collector(gateway, turns);
    Peer peer(ZMQ_DEALER, router.bound_address());
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 1; }));
    std::promise<void> all_are_sent;
    gateway.shard(0).post([&] { all_are_sent.get_future().wait(); });
    for (size_t i = 0; i < kPublishes; ++i) {
        peer.send({std::string("TRW1\x08") + "12345678", "t", "", "x"});
    }
    all_are_sent.set_value();
    ASSERT_TRUE(eventually([&] { return collector.count() == kPublishes; }));
    EXPECT_LE(collector.most_in_a_turn(), 64U);
}

}  // namespace
}  // namespace trestle::zmq
