// Routes that share their topics with MQTT clients: each message to exactly one of all members.
#include <gtest/gtest.h>

#include <algorithm>

#include "fakes.h"

namespace trestle {
namespace {

using test::FakeRouteSink;
using test::FakeSubscriber;
using test::message;
using test::RouteBooks;
using test::World;

/// A group `g` on `job/+` with routes of all kinds, on two shards.
struct SharedRoutes : testing::Test {
    RoutePtr add(const std::string& name, const std::string& mqtt, EndpointId to = 7) {
        RouteOptions options;
        options.name = name;
        options.share = "g";
        std::vector<MappingFault> faults, warnings;
        auto mapping = Mapping::compile({mqtt, "k.{n}", true, false}, faults, warnings);
        auto route =
            std::make_shared<Route>(options, *mapping, to, &sink, EndpointId{0}, books.ledger);
        route->member()->readiness = MemberState::ready;
        table.push_back(route);
        world.hub.set_routes(table);
        return route;
    }
    void join(FakeSubscriber& client, size_t shard, std::shared_ptr<MemberState> state = nullptr) {
        world[shard].subscribe_shared(client, "g", "job/+", {}, std::move(state));
    }
    PublishResult publish(const std::string& topic, size_t shard = 0, EndpointId origin = 0) {
        Publisher from;
        MessageView view = message(topic, topic);
        view.origin = origin;
        const auto result = world[shard].publish(view, from);
        world.carry();
        return result;
    }

    RouteBooks books;
    FakeRouteSink sink;
    World world{2};
    std::vector<RoutePtr> table;
};

TEST_F(SharedRoutes, TakeTurnsWithClientsOfAllShards) {
    FakeSubscriber here, there;
    join(here, 0);
    join(there, 1);
    add("r", "job/{n}");
    for (int i = 0; i < 30; ++i) publish("job/" + std::to_string(i), static_cast<size_t>(i % 2));
    EXPECT_EQ(10U, here.got.size());
    EXPECT_EQ(10U, there.got.size());
    EXPECT_EQ(10U, sink.got.size());
    EXPECT_EQ(10U, books.ledger.matched->value());
    EXPECT_EQ("k.2", sink.got[0].key);
    world[0].unsubscribe_shared(here, "g", "job/+");
    world[1].unsubscribe_shared(there, "g", "job/+");
}

TEST_F(SharedRoutes, OnlyThoseWhoseTemplateMatchesCount) {
    FakeSubscriber client;
    add("digits", "job/{n:[0-9]+}");
    EXPECT_EQ(Outcome::no_subscriber, publish("job/x").outcome);
    EXPECT_EQ(Outcome::accepted, publish("job/1").outcome);
    join(client, 0);
    for (int i = 0; i < 10; ++i) publish("job/word");
    EXPECT_EQ(10U, client.got.size());
    EXPECT_EQ(1U, sink.got.size());
    EXPECT_EQ(0U, world.hub.subscriptions() - 1) << "a route is no subscription";
    world[0].unsubscribe_shared(client, "g", "job/+");
}

TEST_F(SharedRoutes, WithoutRoomTheyArePassedOverWhileOthersCanTakeTheJob) {
    FakeSubscriber client;
    const auto state = std::make_shared<MemberState>();
    join(client, 1, state);
    const auto route = add("r", "job/{n}");
    for (const auto readiness : {MemberState::away, MemberState::busy}) {
        route->member()->readiness = readiness;
        for (int i = 0; i < 6; ++i) publish("job/1");
    }
    EXPECT_EQ(12U, client.got.size());
    state->readiness = MemberState::away;
    publish("job/1");
    EXPECT_EQ(1U, sink.got.size()) << "busy comes before away";
    world[1].unsubscribe_shared(client, "g", "job/+");
}

TEST_F(SharedRoutes, ARefusalAtTheLastMomentPassesTheJobOn) {
    FakeSubscriber client;
    const auto route = add("r", "job/{n}");
    sink.refuses = true;  // and still says that it is ready
    join(client, 0);
    for (int i = 0; i < 10; ++i) publish("job/1");
    EXPECT_EQ(10U, client.got.size());
    EXPECT_EQ(0U, books.ledger.matched->value());
    world[0].unsubscribe_shared(client, "g", "job/+");
    publish("job/2");  // nobody else is there: it waits with the route
    EXPECT_EQ(1U, sink.got.size());
    EXPECT_EQ(1U, books.ledger.matched->value());
}

TEST_F(SharedRoutes, TwoRoutesAndTheWayBack) {
    add("a", "job/{n}", 7);
    add("b", "job/{n}", 8);
    for (int i = 0; i < 10; ++i) publish("job/1");
    EXPECT_EQ(10U, sink.got.size());
    for (int i = 0; i < 10; ++i) publish("job/1", 0, 7);
    EXPECT_EQ(20U, sink.got.size());
    EXPECT_EQ(15, std::ranges::count(sink.got, "b", &FakeRouteSink::Got::route))
        << "never back to where it came from";
    table.clear();
    world.hub.set_routes({});
    EXPECT_EQ(Outcome::no_subscriber, publish("job/1").outcome);
}

TEST_F(SharedRoutes, APlainSubscriberGetsItsOwnCopy) {
    FakeSubscriber client;
    world[0].subscribe(client, "job/+", {});
    add("r", "job/{n}");
    for (int i = 0; i < 5; ++i) publish("job/1");
    EXPECT_EQ(5U, client.got.size());
    EXPECT_EQ(5U, sink.got.size());
    world[0].unsubscribe(client, "job/+");
}

}  // namespace
}  // namespace trestle
