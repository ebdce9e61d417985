// The hub with one and with three shards, carried by hand: who gets what, in which order, and what
// the publisher is told.
#include "core/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "core/topic.h"
#include "fakes.h"

namespace trestle {
namespace {

using test::FakeRouteSink;
using test::FakeSubscriber;
using test::make_route;
using test::message;
using test::RouteBooks;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr EndpointId kDevices = 1;
constexpr EndpointId kWorkers = 2;
constexpr EndpointId kArchive = 3;

MessageView from_devices(std::string_view topic, std::string_view payload = {}, int qos = 0) {
    MessageView view = message(topic, payload, qos);
    view.origin = kDevices;
    return view;
}

TEST(Hub, OverlappingSubscriptionsMakeOneCopyWithTheHighestQosAndAllIds) {
    World world(1);
    FakeSubscriber one;
    FakeSubscriber two;
    Publisher publisher;
    world[0].subscribe(one, "a/+", {.qos = Qos::at_most_once, .subscription_id = 4});
    world[0].subscribe(one, "a/b", {.qos = Qos::exactly_once, .subscription_id = 5});
    world[0].subscribe(one, "#", {.qos = Qos::at_least_once, .retain_as_published = true});
    world[0].subscribe(two, "a/#", {.qos = Qos::at_least_once});
    EXPECT_EQ(world[0].publish(message("a/b", "x", 2), publisher).outcome, Outcome::accepted);
    ASSERT_EQ(one.got.size(), 1u);
    EXPECT_EQ(one.got[0].options.qos, Qos::exactly_once);
    EXPECT_TRUE(one.got[0].options.retain_as_published);
    EXPECT_THAT(one.got[0].ids, UnorderedElementsAre(4, 5));
    ASSERT_EQ(two.got.size(), 1u);
    EXPECT_EQ(two.got[0].options.qos, Qos::at_least_once);
    EXPECT_THAT(two.got[0].ids, IsEmpty());
}

TEST(Hub, NoLocalHoldsBackFromThePublisherOnly) {
    World world(1);
    FakeSubscriber self;
    FakeSubscriber other;
    Publisher publisher;
    publisher.self = &self;
    for (auto* one : {&self, &other}) {
        world[0].subscribe(*one, "a", {.no_local = true, .subscription_id = 1});
    }
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::accepted);
    EXPECT_EQ(self.got.size(), 0u);
    EXPECT_EQ(other.got.size(), 1u);
    // Another subscription of its own, without "no local", still counts, with its own options.
    world[0].subscribe(self, "+", {.qos = Qos::at_least_once, .subscription_id = 2});
    world[0].publish(message("a", "x", 1), publisher);
    ASSERT_EQ(self.got.size(), 1u);
    EXPECT_THAT(self.got[0].ids, ElementsAre(2));
    Publisher stranger;
    world[0].publish(message("a", "x", 1), stranger);
    EXPECT_THAT(self.got[1].ids, UnorderedElementsAre(1, 2));
}

TEST(Hub, NobodyThereIsAnOutcome) {
    World world(3);
    FakeSubscriber one;
    Publisher publisher;
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::no_subscriber);
    world[2].subscribe(one, "a", {});
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::accepted);
    EXPECT_EQ(world.carry(), 1u);
    EXPECT_EQ(one.got.size(), 1u);
    world[2].unsubscribe(one, "a");
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::no_subscriber);
    EXPECT_EQ(world.carry(), 0u);
}

TEST(Hub, AMessageCrossesShardsWhole) {
    World world(3);
    FakeSubscriber far;
    Publisher publisher;
    world[1].subscribe(far, "a/b", {.subscription_id = 3});
    MessageView view = message("a/b", std::string_view("\0payload", 8), 2);
    view.properties = "\x01\x01";
    view.expires_at_ms = 1234567;
    view.origin = kDevices;
    view.hops = 3;
    view.retain = true;
    world[0].publish(view, publisher);
    world[0].publish(message("a/b"), publisher);
    EXPECT_EQ(far.got.size(), 0u) << "not before it is carried";
    EXPECT_EQ(world.carry(), 2u);
    ASSERT_EQ(far.got.size(), 2u);
    const auto& got = far.got[0];
    EXPECT_EQ(got.topic, "a/b");
    EXPECT_EQ(got.payload, std::string("\0payload", 8));
    EXPECT_EQ(got.properties, "\x01\x01");
    EXPECT_EQ(got.expires_at_ms, 1234567u);
    EXPECT_EQ(got.origin, kDevices);
    EXPECT_EQ(got.hops, 3);
    EXPECT_EQ(got.qos, Qos::exactly_once);
    EXPECT_TRUE(got.retain);
    EXPECT_THAT(got.ids, ElementsAre(3));
    EXPECT_EQ(far.got[1].payload, "");
    EXPECT_EQ(far.got[1].expires_at_ms, kNeverExpires);
}

TEST(Hub, TheOrderOfOnePublisherIsKeptAcrossShards) {
    World world(3);
    FakeSubscriber near;
    FakeSubscriber far;
    Publisher publisher;
    world[0].subscribe(near, "#", {});
    world[2].subscribe(far, "#", {});
    std::vector<std::string> sent;
    for (int i = 0; i < 300; ++i) {
        sent.push_back(std::to_string(i));
        world[0].publish(message(i % 3 == 0 ? "a" : "b/c", sent.back(), i % 3), publisher);
        if (i % 70 == 0) world.carry();
    }
    world.carry();
    EXPECT_EQ(near.payloads(), sent);
    EXPECT_EQ(far.payloads(), sent);
}

TEST(Hub, WhoLeftBeforeTheBlockCameGetsNothing) {
    World world(2);
    auto gone = std::make_unique<FakeSubscriber>();
    FakeSubscriber stays;
    Publisher publisher;
    world[1].subscribe(*gone, "a", {});
    world[1].subscribe(stays, "a", {});
    world[0].publish(message("a"), publisher);
    world[1].unsubscribe(*gone, "a");
    gone.reset();
    world.carry();
    EXPECT_EQ(stays.got.size(), 1u);
}

// Addresses are used again: only a shard's own publisher can be one of its subscribers.
TEST(Hub, NoLocalIsNoMatterAcrossShards) {
    World world(2);
    FakeSubscriber subscriber;
    Publisher publisher;
    publisher.self = &subscriber;  // as if a session that died had lain there
    world[1].subscribe(subscriber, "a", {.no_local = true});
    world[0].publish(message("a"), publisher);
    world.carry();
    EXPECT_EQ(subscriber.got.size(), 1u);
}

TEST(Hub, TellsOncePerTurnThatThereIsSomethingToCarry) {
    World world(2);
    FakeSubscriber far;
    Publisher publisher;
    world[1].subscribe(far, "a", {});
    for (int i = 0; i < 3; ++i) world[0].publish(message("a"), publisher);
    EXPECT_EQ(world.carriers[0].told, 1);
    EXPECT_EQ(world.carry(), 3u);
    world[0].publish(message("a"), publisher);
    EXPECT_EQ(world.carriers[0].told, 2);
    EXPECT_EQ(world.carriers[0].filled, 0);
    world[0].publish(message("a", std::string(100'000, 'x')), publisher);
    EXPECT_EQ(world.carriers[0].filled, 1) << "much is carried before the turn is over";
}

// What topics matched is remembered within a bound, whatever their number, length and subscribers.
TEST(MatchCache, HoldsNoMoreThanItsBudget) {
    World world(1);
    std::vector<std::unique_ptr<FakeSubscriber>> subscribers;
    SubscriptionIndex index;
    for (int i = 0; i < 500; ++i) {
        subscribers.push_back(std::make_unique<FakeSubscriber>());
        index.add("#", {subscribers.back().get(), 0}, {.subscription_id = 1});
    }
    MatchCache cache;
    MatchPtr last;
    size_t most = 0;
    for (size_t i = 0; i < 3000; ++i) {
        const std::string topic = std::to_string(i) + std::string(60'000, 't');
        const MatchPtr result = make_match(topic, SubscriptionIndex::hash_of(topic), index, {}, 0);
        EXPECT_GT(result->bytes, 60'000 + 500 * sizeof(MatchResult::Local));
        cache.put(result);
        last = result;
        ASSERT_EQ(cache.find(result->hash), result);
        most = std::max(most, cache.bytes());
        ASSERT_LE(cache.bytes(), MatchCache::kMostBytes);
    }
    EXPECT_GT(most, MatchCache::kMostBytes / 2);
    const size_t before = cache.bytes();
    cache.put(last);  // the same again
    EXPECT_EQ(cache.bytes(), before);
}

TEST(MatchCache, RemembersThousandsOfTopicsAndForgetsTheRest) {
    World world(1);
    SubscriptionIndex index;
    MatchCache cache;
    const auto hash_of = [](size_t i) { return SubscriptionIndex::hash_of(std::to_string(i)); };
    constexpr size_t kTopics = 4 * MatchCache::kMostTopics;
    for (size_t i = 0; i < kTopics; ++i) {
        const auto result = make_match(std::to_string(i), hash_of(i), index, {}, 0);
        cache.put(result);
        ASSERT_EQ(cache.find(result->hash), result);
        if (i + 1 != 20'000) continue;
        size_t found = 0;
        for (size_t j = 0; j <= i; ++j) found += cache.find(hash_of(j)) != nullptr ? 1 : 0;
        EXPECT_GT(found, 19'000u);
    }
    size_t found = 0;
    for (size_t i = 0; i < kTopics; ++i) found += cache.find(hash_of(i)) != nullptr ? 1 : 0;
    EXPECT_LE(found, MatchCache::kMostTopics);
    EXPECT_GT(found, MatchCache::kMostTopics / 2);
}

TEST(Hub, WhoDoesNotWantItsOwnIsNobody) {
    World world(1);
    FakeSubscriber own;
    world[0].subscribe(own, "a", {.no_local = true});
    Publisher publisher;
    publisher.self = &own;
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::no_subscriber);
    FakeSubscriber other;
    world[0].subscribe(other, "a", {});
    EXPECT_EQ(world[0].publish(message("a"), publisher).outcome, Outcome::accepted);
    EXPECT_EQ(own.got.size(), 0u);
    EXPECT_EQ(other.got.size(), 1u);
}

TEST(Hub, ALargeAudienceGetsEveryMessageOnce) {
    World world(1);
    std::vector<std::unique_ptr<FakeSubscriber>> subscribers;
    for (int i = 0; i < 500; ++i) {
        subscribers.push_back(std::make_unique<FakeSubscriber>());
        world[0].subscribe(*subscribers.back(), "#", {});
    }
    Publisher publisher;
    for (int round = 0; round < 3; ++round) {
        for (const auto* topic : {"a", "b", "a"}) world[0].publish(message(topic), publisher);
    }
    for (const auto& one : subscribers) ASSERT_EQ(one->got.size(), 9u);
    EXPECT_EQ(publisher.last_match, nullptr) << "too large for each publisher to keep";
}

class HubRoutes : public testing::Test {
 protected:
    World world_{2};
    RouteBooks books_;
    FakeRouteSink workers_;
    FakeRouteSink archive_;
    Publisher publisher_;
};

TEST_F(HubRoutes, TheMoreSpecificOneDeliversOncePerEndpoint) {
    world_.hub.set_routes(
        {make_route("all", "{rest...}", "all.{rest...}", kWorkers, workers_, books_),
         make_route("site", "sensors/{site}/temp", "site.{site}", kWorkers, workers_, books_),
         make_route("archive", "sensors/{rest...}", "log.{rest...}", kArchive, archive_, books_)});
    world_[1].publish(from_devices("sensors/north/temp"), publisher_);
    EXPECT_THAT(workers_.got, ElementsAre(FakeRouteSink::Got{"site", "site.north", 1}));
    ASSERT_EQ(archive_.got.size(), 1u);
    world_[0].publish(from_devices("other"), publisher_);
    EXPECT_THAT(workers_.got.back(), (FakeRouteSink::Got{"all", "all.other", 0}));
    EXPECT_EQ(archive_.got.size(), 1u);
    EXPECT_EQ(books_.ledger.matched->value(), 3u);
}

TEST_F(HubRoutes, TheEarlierOneDeliversOnATie) {
    const auto first = make_route("first", "a/{x}", "one.{x}", kWorkers, workers_, books_);
    const auto second = make_route("second", "a/{y}", "two.{y}", kWorkers, workers_, books_);
    world_.hub.set_routes({first, second});
    world_[0].publish(from_devices("a/1"), publisher_);
    world_.hub.set_routes({second, first});
    world_[0].publish(from_devices("a/1"), publisher_);
    ASSERT_EQ(workers_.got.size(), 2u);
    EXPECT_EQ(workers_.got[0].route, "first");
    EXPECT_EQ(workers_.got[1].route, "second");
}

TEST_F(HubRoutes, WhatARouteExcludesGoesToTheNext) {
    world_.hub.set_routes(
        {make_route("narrow", "a/{x}", "n.{x}", kWorkers, workers_, books_, {"a/secret"}),
         make_route("wide", "{rest...}", "w.{rest...}", kWorkers, workers_, books_)});
    world_[0].publish(from_devices("a/open"), publisher_);
    world_[0].publish(from_devices("a/secret"), publisher_);
    ASSERT_EQ(workers_.got.size(), 2u);
    EXPECT_EQ(workers_.got[0].route, "narrow");
    EXPECT_EQ(workers_.got[1].route, "wide");
}

TEST_F(HubRoutes, ARouteThatIsGoneGetsNothingEvenFromTheCache) {
    world_.hub.set_routes({make_route("r", "a/{x}", "k.{x}", kWorkers, workers_, books_)});
    for (size_t shard = 0; shard < 2; ++shard)
        world_[shard].publish(from_devices("a/1"), publisher_);
    world_.hub.set_routes({});
    for (size_t shard = 0; shard < 2; ++shard) {
        EXPECT_EQ(world_[shard].publish(from_devices("a/1"), publisher_).outcome,
                  Outcome::no_subscriber);
    }
    EXPECT_EQ(workers_.got.size(), 2u);
}

TEST_F(HubRoutes, NothingGoesBackToWhereItCameFrom) {
    world_.hub.set_routes({make_route("r", "a/{x}", "k.{x}", kWorkers, workers_, books_)});
    MessageView view = message("a/1");
    view.origin = kWorkers;
    EXPECT_EQ(world_[0].publish(view, publisher_).outcome, Outcome::no_subscriber);
    EXPECT_THAT(workers_.got, IsEmpty());
    EXPECT_EQ(books_.ledger.matched->value(), 0u);
}

TEST_F(HubRoutes, HopsHaveALimit) {
    world_.hub.set_routes({make_route("r", "a/{x}", "k.{x}", kWorkers, workers_, books_)});
    FakeSubscriber subscriber;
    world_[0].subscribe(subscriber, "#", {});
    MessageView view = from_devices("a/1");
    view.hops = Hub::kMostHops - 1;
    world_[0].publish(view, publisher_);
    EXPECT_EQ(workers_.got.size(), 1u);
    view.hops = Hub::kMostHops;
    world_[0].publish(view, publisher_);
    EXPECT_EQ(workers_.got.size(), 1u);
    EXPECT_EQ(books_.ledger.dropped->value(), 1u);
    EXPECT_EQ(books_.ledger.reasons[static_cast<size_t>(DropReason::hops)]->value(), 1u);
    EXPECT_EQ(books_.ledger.matched->value(), 2u);
    EXPECT_EQ(subscriber.got.size(), 2u) << "subscribers are no hop";
}

struct Receiver final : AckReceiver {
    void on_settled(uint64_t token, Outcome outcome) override { got.emplace_back(token, outcome); }
    std::vector<std::pair<uint64_t, Outcome>> got;
};

TEST_F(HubRoutes, APendingAckReportsWhenTheLastReceiverHasSettled) {
    const auto receiver = std::make_shared<Receiver>();
    const std::weak_ptr<AckReceiver> waiter = receiver;
    std::vector<Ack> held;
    workers_.work = [&](Delivery& d) { held.push_back(d.defer()); };
    archive_.work = [](Delivery& d) { d.worsen(Outcome::given_up); };
    world_.hub.set_routes({make_route("job", "a/{x}", "k.{x}", kWorkers, workers_, books_),
                           make_route("log", "a/{x}", "l.{x}", kArchive, archive_, books_)});
    const auto result = world_[0].publish(from_devices("a/1", "", 1), publisher_, &waiter, 42);
    EXPECT_TRUE(result.pending);
    EXPECT_EQ(world_.executors[0].run(), 0u);
    held[0].settle(Outcome::accepted);
    EXPECT_EQ(world_.executors[0].run(), 1u);
    EXPECT_THAT(receiver->got, ElementsAre(std::pair(uint64_t{42}, Outcome::given_up)));
    held.clear();
    EXPECT_EQ(world_.executors[0].run(), 0u);
}

// The forms are the shard's, and are those of its next message soon: only who is served on this
// stack may look at them.
TEST_F(HubRoutes, FormsAreSharedByLocalSubscribersOnly) {
    struct Looker final : Subscriber {
        void deliver(Delivery& delivery, const SubscriptionMatch&) override {
            had_forms = delivery.forms() != nullptr;
        }
        bool had_forms = false;
    } first, second, member;
    member.had_forms = true;
    world_[0].subscribe(first, "a/1", {});
    world_[0].subscribe(second, "a/+", {});
    world_[0].subscribe_shared(member, "g", "a/1", {});
    bool route_had_forms = true;
    workers_.work = [&](Delivery& d) { route_had_forms = d.forms() != nullptr; };
    world_.hub.set_routes({make_route("r", "a/{x}", "k.{x}", kWorkers, workers_, books_)});
    world_[0].publish(from_devices("a/1"), publisher_);
    EXPECT_TRUE(first.had_forms && second.had_forms);
    EXPECT_FALSE(route_had_forms);
    EXPECT_FALSE(member.had_forms);
}

TEST_F(HubRoutes, ARefusalOnTheSameStackNeedsNoAck) {
    const auto receiver = std::make_shared<Receiver>();
    const std::weak_ptr<AckReceiver> waiter = receiver;
    workers_.work = [](Delivery& d) { d.worsen(Outcome::queue_full); };
    world_.hub.set_routes({make_route("r", "a/{x}", "k.{x}", kWorkers, workers_, books_)});
    const auto result = world_[0].publish(from_devices("a/1", "", 1), publisher_, &waiter, 1);
    EXPECT_FALSE(result.pending);
    EXPECT_EQ(result.outcome, Outcome::queue_full);
    // Settled before `publish` returned: still reported, later.
    workers_.work = [](Delivery& d) { d.defer().settle(Outcome::timed_out); };
    EXPECT_TRUE(world_[0].publish(from_devices("a/1", "", 1), publisher_, &waiter, 2).pending);
    EXPECT_TRUE(receiver->got.empty());
    world_.executors[0].run();
    EXPECT_THAT(receiver->got, ElementsAre(std::pair(uint64_t{2}, Outcome::timed_out)));
    // Nobody waits: the copy is taken, nothing is pending.
    workers_.work = [](Delivery& d) { EXPECT_FALSE(d.can_defer() || d.defer()); };
    EXPECT_FALSE(world_[0].publish(from_devices("a/1"), publisher_).pending);
}

// Everything at random, against filters matched one by one: a cached match is never stale, whoever
// changed what, on which shard.
TEST(HubProperty, EverybodyGetsExactlyWhatTheySubscribedTo) {
    const std::vector<std::string> topics = {"a", "a/b", "a/b/c", "b", "/", "a/", "$x/b", "a//c"};
    const std::vector<std::string> filters = {"a",   "a/b", "#",   "+",    "a/#",  "+/b",
                                              "a/+", "/",   "+/+", "$x/#", "a//c", "a/+/c"};
    for (uint32_t seed = 1; seed <= 60; ++seed) {
        const size_t shards = seed % 2 == 0 ? 3 : 1;
        std::mt19937 random(seed);
        World world(shards);
        struct Client {
            size_t shard;
            std::unique_ptr<FakeSubscriber> subscriber = std::make_unique<FakeSubscriber>();
            std::map<std::string, SubscribeOptions> subscriptions;
            Publisher publisher;
        };
        std::vector<Client> clients(6);
        for (size_t i = 0; i < clients.size(); ++i) clients[i].shard = i % shards;
        for (int step = 0; step < 600; ++step) {
            Client& client = clients[random() % clients.size()];
            HubShard& home = world[client.shard];
            const std::string& filter = filters[random() % filters.size()];
            switch (random() % 8) {
                case 0: {
                    SubscribeOptions options;
                    options.qos = static_cast<Qos>(random() % 3);
                    options.no_local = random() % 4 == 0;
                    options.subscription_id = random() % 3;
                    const bool known = client.subscriptions.contains(filter);
                    client.subscriptions[filter] = options;
                    ASSERT_EQ(home.subscribe(*client.subscriber, filter, options), known);
                    continue;
                }
                case 1:
                    ASSERT_EQ(home.unsubscribe(*client.subscriber, filter),
                              client.subscriptions.erase(filter) != 0);
                    continue;
                case 2:
                    if (random() % 8 != 0) continue;
                    for (const auto& [f, o] : client.subscriptions) {
                        home.unsubscribe(*client.subscriber, f);
                    }
                    client.subscriptions.clear();
                    client.subscriber = std::make_unique<FakeSubscriber>();
                    continue;
                default:
                    break;
            }
            const std::string& topic = topics[random() % topics.size()];
            client.publisher.self = client.subscriber.get();
            const auto result = home.publish(message(topic, "", 2), client.publisher);
            world.carry();
            bool anybody = false;
            for (auto& receiver : clients) {
                std::multiset<uint32_t> ids;
                bool any = false;
                Qos qos = Qos::at_most_once;
                for (const auto& [f, options] : receiver.subscriptions) {
                    if (!filter_matches(f, topic)) continue;
                    if (options.no_local && &receiver == &client) continue;
                    any = anybody = true;
                    qos = std::max(qos, options.qos);
                    if (options.subscription_id != 0) ids.insert(options.subscription_id);
                }
                auto& got = receiver.subscriber->got;
                ASSERT_EQ(got.size(), any ? 1u : 0u) << "seed " << seed << " step " << step;
                if (!any) continue;
                ASSERT_EQ(got[0].topic, topic);
                ASSERT_EQ(got[0].options.qos, qos);
                ASSERT_EQ(std::multiset<uint32_t>(got[0].ids.begin(), got[0].ids.end()), ids);
                got.clear();
            }
            ASSERT_EQ(result.outcome, anybody ? Outcome::accepted : Outcome::no_subscriber);
        }
    }
}

}  // namespace
}  // namespace trestle
