// Taps see messages as they pass, within their budget, and change nothing of their fate.
#include "core/tap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hub.h"
#include "fakes.h"

namespace trestle {
namespace {

using test::FakeSubscriber;
using test::message;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;

struct FakeTap final : Tap {
    using Tap::Tap;
    void show(ShardIndex, uint64_t, const MessageView& seen, const Publisher&) override {
        topics.emplace_back(seen.topic);
    }
    std::vector<std::string> topics;
};

TEST(Tap, SeesWhatMatchesAndIsNoSubscriber) {
    World world(1);
    Publisher publisher;
    world[0].publish(message("a/0"), publisher);  // its match is in the cache by now
    const auto tap = std::make_shared<FakeTap>("a/#", 10, 1);
    world.hub.add_tap(tap);
    EXPECT_EQ(world[0].publish(message("a/0"), publisher).outcome, Outcome::no_subscriber);
    world[0].publish(message("b/1"), publisher);
    world[0].publish(message("a/2"), publisher);
    world.hub.remove_tap(*tap);
    world[0].publish(message("a/2"), publisher);
    EXPECT_THAT(tap->topics, ElementsAre("a/0", "a/2"));
    EXPECT_EQ(tap->skipped(), 0u);
}

TEST(Tap, LooksAtSoManyInAWindowAndCountsTheRest) {
    World world(1);
    Publisher publisher;
    const auto tap = std::make_shared<FakeTap>("#", 3, 1);
    world.hub.add_tap(tap);
    world.set_now(1000);
    for (int i = 0; i < 10; ++i) world[0].publish(message("t"), publisher);
    EXPECT_EQ(tap->topics.size(), 3u);
    EXPECT_EQ(tap->skipped(), 7u);
    world.set_now(1000 + Tap::kWindowMs - 1);
    world[0].publish(message("t"), publisher);
    EXPECT_EQ(tap->topics.size(), 3u);
    world.set_now(1000 + Tap::kWindowMs);
    world[0].publish(message("t"), publisher);
    EXPECT_EQ(tap->topics.size(), 4u);
    EXPECT_EQ(tap->skipped(), 8u);
    world.hub.remove_tap(*tap);
}

TEST(Tap, SeesAMessageOnceHoweverManyShardsItGoesTo) {
    World world(3);
    FakeSubscriber there;
    world[1].subscribe(there, "t", {});
    Publisher publisher;
    const auto tap = std::make_shared<FakeTap>("t", 10, 3);
    world.hub.add_tap(tap);
    world[0].publish(message("t"), publisher);
    world.carry();
    EXPECT_EQ(there.got.size(), 1u);
    EXPECT_EQ(tap->topics.size(), 1u);
    world[1].unsubscribe(there, "t");
    world.hub.remove_tap(*tap);
}

TEST(Tap, LeavesTheServersOwnTopicsToThoseWhoNameThem) {  // [MQTT-4.7.2-1]
    World world(1);
    Publisher publisher;
    const auto all = std::make_shared<FakeTap>("#", 10, 1);
    const auto own = std::make_shared<FakeTap>("$SYS/#", 10, 1);
    world.hub.add_tap(all);
    world.hub.add_tap(own);
    world[0].publish(message("$SYS/uptime"), publisher);
    EXPECT_THAT(all->topics, IsEmpty());
    EXPECT_THAT(own->topics, ElementsAre("$SYS/uptime"));
    world.hub.remove_tap(*all);
    world.hub.remove_tap(*own);
}

}  // namespace
}  // namespace trestle
