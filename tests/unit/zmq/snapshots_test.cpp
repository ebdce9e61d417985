#include "zmq/snapshots.h"

#include <gtest/gtest.h>

#include <map>

namespace trestle::zmq {
namespace {

using Prefixes = std::vector<std::string>;

TEST(SnapshotRequests, APrefixIsServedOncePerInterval) {
    SnapshotRequests requests(1000);
    EXPECT_EQ(SnapshotRequests::kNothing, requests.next_due_ms());
    EXPECT_TRUE(requests.ask("a", 5000));
    EXPECT_FALSE(requests.ask("a", 5000));
    EXPECT_EQ(5000U, requests.next_due_ms());
    EXPECT_EQ((Prefixes{"a"}), requests.take_due(5000));
    EXPECT_TRUE(requests.ask("a", 5300));
    EXPECT_TRUE(requests.ask("b", 5300));
    EXPECT_EQ((Prefixes{"b"}), requests.take_due(5300));
    EXPECT_EQ(6000U, requests.next_due_ms());
    EXPECT_TRUE(requests.take_due(5999).empty());
    EXPECT_EQ((Prefixes{"a"}), requests.take_due(6000));
    requests.ask("a", 6001);
    requests.forget("a");
    EXPECT_TRUE(requests.empty());
    requests.ask("a", 9000);
    EXPECT_EQ(9000U, requests.next_due_ms());
}

// Long ones, as somebody who wants to use up memory would send, are forgotten instead.
TEST(SnapshotRequests, PrefixesServedAreRememberedUpToABound) {
    constexpr size_t kLong = 1u << 20;
    SnapshotRequests requests(1000);
    for (char c = 0; c < 17; ++c) {
        std::string prefix(kLong, c);
        EXPECT_TRUE(requests.ask(prefix, 5000));
        EXPECT_EQ(1U, requests.take_due(5000).size());
        EXPECT_TRUE(requests.ask(prefix, 5001));
        const bool is_forgotten = (c + 1U) * kLong > SnapshotRequests::kMostServedBytes;
        EXPECT_EQ(is_forgotten ? 5001U : 6000U, requests.next_due_ms());
        requests.forget(prefix);
    }
    requests.ask("a", 5100);
    EXPECT_EQ((Prefixes{"a"}), requests.take_due(5100));
    requests.ask("a", 5101);
    EXPECT_EQ(6100U, requests.next_due_ms()) << "what is short is remembered again";
}

struct Walked : testing::Test {
    RoutePtr route(const std::string& mqtt, const std::string& zmq, bool snapshot = true) {
        RouteOptions options;
        options.name = mqtt;
        options.snapshot = snapshot;
        std::vector<MappingFault> faults, warnings;
        auto mapping = Mapping::compile({mqtt, zmq, true, false}, faults, warnings);
        routes.push_back(std::make_shared<Route>(options, *mapping, EndpointId{1}, nullptr,
                                                 EndpointId{0}, RouteLedger{}));
        return routes.back();
    }
    void retain(const std::string& topic, const std::string& payload, uint64_t expires_ms = 0) {
        MessageView view;
        view.topic = topic;
        view.payload = payload;
        view.retain = true;
        if (expires_ms != 0) view.expires_at_ms = expires_ms;
        store.keep(Message::copy_of(view), 0);
    }
    /// Keys and how often each came.
    std::map<std::string, int> walk(const Prefixes& prefixes, size_t most = 1000,
                                    const FrameFormat& format = {}) {
        SnapshotWalk one(store, format, routes, prefixes, most);
        std::map<std::string, int> keys;
        bool has_more = true;
        for (steps = 0; has_more && steps < 100'000; ++steps) {
            has_more = one.step(
                100, 7, [&](const RoutePtr&, const MessageView& message, const std::string& key) {
                    EXPECT_FALSE(message.payload.empty());
                    ++keys[key];
                });
        }
        EXPECT_FALSE(has_more);
        cut_short = one.cut_short();
        return keys;
    }
    RetainedTree store{RetainedLimits{}};
    std::vector<RoutePtr> routes;
    size_t steps = 0;
    size_t cut_short = 0;
};

using Keys = std::map<std::string, int>;

TEST_F(Walked, EachMatchingMessageOnceHoweverManyAskForIt) {
    route("s/{x}/t", "t.{x}.");
    route("s/{x}/h", "h.{x}.");
    route("s/{x}/p", "p.{x}.", false);
    for (const auto* x : {"1", "10", "2"}) {
        for (const auto* kind : {"t", "h", "p"}) retain(std::string("s/") + x + "/" + kind, x);
    }
    retain("other", "x");
    EXPECT_EQ((Keys{{"t.1.", 1}}), walk({"t.1."}));
    EXPECT_EQ((Keys{{"t.1.", 1}, {"t.10.", 1}, {"h.2.", 1}}),
              walk({"t.1", "t.10.", "t.10", "h.2"}));
    EXPECT_EQ(6U, walk({""}).size());
    EXPECT_TRUE(walk({"p."}).empty());
    EXPECT_TRUE(walk({}).empty());
}

TEST_F(Walked, APrefixGetsOnlySoMany) {
    route("s/{x}", "t.{x}.");
    for (int i = 0; i < 500; ++i) retain("s/" + std::to_string(i), "x");
    retain("s/expired", "x", 99);
    EXPECT_EQ(500U, walk({"t."}).size());
    EXPECT_EQ(0U, cut_short);
    EXPECT_GT(steps, 50U) << "in portions";
    EXPECT_EQ(20U, walk({"t."}, 20).size());
    EXPECT_EQ(1U, cut_short);
    // Who asks for one key is not starved by who asks for all.
    EXPECT_EQ(1U, walk({"t.", "t.77."}, 20).count("t.77."));
}

TEST_F(Walked, TheMoreSpecificRouteDelivers) {
    route("s/{rest...}", "all.{rest...}");
    route("s/{x}", "one.{x}");
    retain("s/1", "x");
    retain("s/1/2", "x");
    EXPECT_EQ((Keys{{"one.1", 1}, {"all.1/2", 1}}), walk({""}));
}

TEST_F(Walked, PrefixesMayReachIntoThePayloadOfSingleFrames) {
    route("s/{x}", "t.{x}");
    retain("s/1", "on");
    retain("s/10", "on");
    const FrameFormat single{Format::single, " "};
    EXPECT_EQ((Keys{{"t.1", 1}}), walk({"t.1 "}, 10, single));
    EXPECT_EQ((Keys{{"t.1", 1}}), walk({"t.1 o"}, 10, single));
    EXPECT_TRUE(walk({"t.1 off"}, 10, single).empty());
}

}  // namespace
}  // namespace trestle::zmq
