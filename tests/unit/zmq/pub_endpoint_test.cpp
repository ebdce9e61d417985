#include "zmq/pub_endpoint.h"

#include <nlohmann/json.hpp>

#include "test_gateway.h"

namespace trestle::zmq {
namespace {

const TestGateway::RouteSpec kTemperatures{"r", "s/{x}/t", "t.{x}.", "out", ""};

bool has_subscriptions(const TestGateway& gateway, double count) {
    return eventually([&] { return gateway.metric("trestle_zmq_subscriptions") == count; });
}

struct Nobody final : AckReceiver {
    void on_settled(uint64_t, Outcome) override {}
};

TEST(PubEndpoint, SubscribersGetWhatTheyAskedFor) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    gateway.set_routes({kTemperatures});
    Peer one(ZMQ_SUB, pub.bound_address(), subscribed_to({"t.1."}));
    Peer all(ZMQ_SUB, pub.bound_address(), subscribed_to({""}));
    ASSERT_TRUE(has_subscriptions(gateway, 2));
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 2; }));
    gateway.publish({"s/2/t", "a"});
    gateway.publish({"s/1/t", "b", Qos::at_least_once});
    EXPECT_EQ((Parts{"t.1.", "b"}), one.receive());
    EXPECT_EQ((Parts{"t.2.", "a"}), all.receive());
    EXPECT_EQ((Parts{"t.1.", "b"}), all.receive());
    EXPECT_EQ(2, gateway.outcome("r", "sent"));
    EXPECT_EQ(0, gateway.imbalance("r"));
    EXPECT_EQ(1,
              gateway.metric("trestle_messages_sent_total", {{"endpoint", "out"}, {"qos", "1"}}));
    EXPECT_EQ(10, gateway.metric("trestle_sent_bytes_total", {{"endpoint", "out"}}));
}

TEST(PubEndpoint, WhatNobodyWantsIsNotHandedOver) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    gateway.set_routes({kTemperatures});
    EXPECT_EQ(Outcome::accepted, gateway.publish({"s/1/t", "nobody"}).outcome);
    Peer one(ZMQ_SUB, pub.bound_address(), subscribed_to({"t.1."}));
    ASSERT_TRUE(has_subscriptions(gateway, 1));
    gateway.publish({"s/2/t", "others"});
    gateway.publish({"s/1/t", "wanted"});
    EXPECT_EQ((Parts{"t.1.", "wanted"}), one.receive());
    EXPECT_EQ(1, gateway.outcome("r", "sent"));
    EXPECT_EQ(2, gateway.outcome("r", "dropped"));
    EXPECT_EQ(2, gateway.dropped("out", "no_subscriber"));
    EXPECT_EQ(0, gateway.imbalance("r"));
}

TEST(PubEndpoint, PublishersAreToldThatNobodyListens) {
    TestGateway gateway;
    gateway.add<PubEndpoint>("out", settings_for("pub"));
    RouteOptions report, refuse;
    report.no_receiver = NoReceiver::report;
    refuse.no_receiver = NoReceiver::refuse;
    gateway.set_routes({{"report", "a/{x}", "a.{x}", "out", "", report},
                        {"refuse", "b/{x}", "b.{x}", "out", "", refuse}});
    const auto nobody = std::make_shared<Nobody>();
    const std::weak_ptr<AckReceiver> waiter = nobody;
    EXPECT_EQ(Outcome::no_receiver, gateway.publish({"a/1", "x"}).outcome);
    EXPECT_EQ(Outcome::no_receiver,
              gateway.publish({"a/1", "x", Qos::at_least_once}, 0, &waiter).outcome);
    EXPECT_EQ(Outcome::queue_full,
              gateway.publish({"b/1", "x", Qos::at_least_once}, 0, &waiter).outcome);
    EXPECT_EQ(1, gateway.outcome("refuse", "refused"));
    EXPECT_EQ(Outcome::accepted, gateway.publish({"b/1", "x"}).outcome) << "QoS 0 hears nothing";
    EXPECT_EQ(1, gateway.outcome("refuse", "dropped"));
    EXPECT_EQ(4, gateway.dropped("out", "no_subscriber"));
    EXPECT_EQ(0, gateway.imbalance("report"));
    EXPECT_EQ(0, gateway.imbalance("refuse"));
}

TEST(PubEndpoint, GoneSubscribersAreNotCounted) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    {
        Peer one(ZMQ_SUB, pub.bound_address(), subscribed_to({"a", "b"}));
        ASSERT_TRUE(has_subscriptions(gateway, 2));
    }
    EXPECT_TRUE(has_subscriptions(gateway, 0));
    EXPECT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 0; }));
}

TEST(PubEndpoint, WhatSubscribersSayIsReadAndCounted) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    // An XSUB may send messages upstream, which nobody here wants.
    Peer chatty(ZMQ_XSUB, pub.bound_address(), [](void* s) { set_option(s, ZMQ_SNDHWM, 0); });
    for (int i = 0; i < 3000; ++i) chatty.send({"\x02hello", "more"});
    chatty.send({std::string("\x01") + "a"});
    EXPECT_TRUE(has_subscriptions(gateway, 1));
    EXPECT_EQ(3000, gateway.metric("trestle_protocol_errors_total", {{"endpoint", "out"}}));
}

TEST(PubEndpoint, Formats) {
    using Value = Settings::Value;
    TestGateway gateway;
    auto& single = gateway.add<PubEndpoint>(
        "single", settings_for("pub", {{"format", Value(std::string("single"))},
                                       {"separator", std::string("\0", 1)}}));
    auto& full =
        gateway.add<PubEndpoint>("full", settings_for("pub", {{"format", std::string("full")}}));
    gateway.set_routes(
        {{"a", "x/{a}", "x.{a}", "single", ""}, {"b", "x/{a}", "x.{a}", "full", ""}});
    Peer one(ZMQ_SUB, single.bound_address(), subscribed_to({std::string("x.1\0", 4)}));
    Peer two(ZMQ_SUB, full.bound_address(), subscribed_to({""}));
    ASSERT_TRUE(has_subscriptions(gateway, 2));
    gateway.publish({"x/10", "no", Qos::exactly_once});
    gateway.publish({"x/1", "yes"});
    EXPECT_EQ((Parts{std::string("x.1\0yes", 7)}), one.receive());
    const auto frames = two.receive();
    ASSERT_EQ(3U, frames.size());
    EXPECT_EQ("x.10", frames[0]);
    const auto meta = nlohmann::json::parse(frames[1]);
    EXPECT_EQ("x/10", meta["topic"]);
    EXPECT_EQ(2, meta["qos"]);
    EXPECT_EQ("tester", meta["client"]);
    EXPECT_GT(meta["time"], 1'600'000'000'000);
    EXPECT_EQ("no", frames[2]);
}

TEST(PubEndpoint, ATerminatorMakesKeysExact) {
    TestGateway gateway;
    auto& pub =
        gateway.add<PubEndpoint>("out", settings_for("pub", {{"terminator", std::string("nul")}}));
    RouteOptions options;
    options.terminates_keys = true;
    gateway.set_routes({{"r", "x/{a}", "x.{a}", "out", "", options}});
    Peer one(ZMQ_SUB, pub.bound_address(), subscribed_to({std::string("x.1\0", 4)}));
    ASSERT_TRUE(has_subscriptions(gateway, 1));
    gateway.publish({"x/10", "no"});
    gateway.publish({"x/1", "yes"});
    EXPECT_EQ((Parts{std::string("x.1\0", 4), "yes"}), one.receive());
}

TEST(PubEndpoint, NumbersTellWhatWasMissed) {
    TestGateway gateway;
    auto& plain = gateway.add<PubEndpoint>("plain", settings_for("pub", {{"sequence", true}}));
    auto& full = gateway.add<PubEndpoint>(
        "full", settings_for("pub", {{"sequence", true}, {"format", std::string("full")}}));
    gateway.set_routes({{"a", "x/{a}", "x.{a}", "plain", ""}, {"b", "x/{a}", "x.{a}", "full", ""}});
    gateway.publish({"x/1", "nobody is there"});
    Peer one(ZMQ_SUB, plain.bound_address(), subscribed_to({""}));
    Peer two(ZMQ_SUB, full.bound_address(), subscribed_to({""}));
    ASSERT_TRUE(has_subscriptions(gateway, 2));
    gateway.publish({"x/1", "a"});
    gateway.publish({"x/2", "b"});
    gateway.publish({"x/1", "c"});
    std::vector<std::string> epochs;
    for (const auto& [key, number, payload] :
         {std::tuple{"x.1", 2, "a"}, std::tuple{"x.2", 1, "b"}, std::tuple{"x.1", 3, "c"}}) {
        const auto frames = one.receive();
        ASSERT_EQ(3U, frames.size());
        ASSERT_EQ(16U, frames[1].size());
        EXPECT_EQ(key, frames[0]);
        EXPECT_EQ(number, frames[1][15]);
        EXPECT_EQ(payload, frames[2]);
        epochs.push_back(frames[1].substr(0, 8));
        const auto meta = nlohmann::json::parse(two.receive().at(1));
        EXPECT_EQ(number, meta["sequence"][1]);
    }
    EXPECT_EQ(epochs[0], epochs[2]);
    EXPECT_LT(epochs[0], epochs[1]);
}

TEST(PubEndpoint, NothingGoesBackToWhereItCameFrom) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    gateway.set_routes({kTemperatures});
    Peer all(ZMQ_SUB, pub.bound_address(), subscribed_to({""}));
    ASSERT_TRUE(has_subscriptions(gateway, 1));
    gateway.publish({"s/1/t", "own", Qos::at_most_once, 1});
    gateway.publish({"s/1/t", "other"});
    EXPECT_EQ((Parts{"t.1.", "other"}), all.receive());
}

TEST(PubEndpoint, ABusyAddressIsNamed) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    const std::string address = pub.bound_address();
    try {
        gateway.add<PubEndpoint>(
            "second", settings_for("pub", {{"bind", std::vector<std::string>{address}}}));
        FAIL() << "bound twice";
    } catch (const std::exception& failure) {
        EXPECT_EQ("cannot bind " + address + ": Address already in use", failure.what());
    }
}

TEST(PubEndpoint, StopsAndThenDropsAsShutdown) {
    TestGateway gateway;
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    gateway.set_routes({kTemperatures});
    Peer all(ZMQ_SUB, pub.bound_address(), subscribed_to({""}));
    ASSERT_TRUE(has_subscriptions(gateway, 1));
    EXPECT_EQ("", pub.not_ready());
    const std::string large(100'000, 'x');
    for (int i = 0; i < 100; ++i) gateway.publish({"s/1/t", large});
    ASSERT_TRUE(gateway.stop(pub));
    for (int i = 0; i < 100; ++i) ASSERT_EQ(2U, all.receive().size()) << i;
    EXPECT_NE("", pub.not_ready());
    gateway.publish({"s/1/t", "late"});
    EXPECT_EQ(1, gateway.dropped("out", "shutdown"));
    EXPECT_EQ(0, gateway.imbalance("r"));
}

TEST(PubEndpoint, ShardsSendAtOnce) {
    constexpr int kMessages = 2000;
    TestGateway gateway(3);
    auto& pub = gateway.add<PubEndpoint>("out", settings_for("pub"));
    gateway.set_routes({kTemperatures});
    Peer all(ZMQ_SUB, pub.bound_address(), [](void* socket) {
        set_option(socket, ZMQ_RCVHWM, 0);
        subscribed_to({""})(socket);
    });
    ASSERT_TRUE(has_subscriptions(gateway, 1));
    std::vector<std::thread> publishers;
    for (size_t shard = 0; shard < 3; ++shard) {
        publishers.emplace_back([&gateway, shard] {
            for (int i = 0; i < kMessages; ++i) {
                gateway.publish({"s/" + std::to_string(shard) + "/t", std::to_string(i)}, shard);
            }
        });
    }
    std::vector<int> next(3);
    for (int i = 0; i < 3 * kMessages; ++i) {
        const auto frames = all.receive();
        ASSERT_EQ(2U, frames.size()) << i;
        const auto shard = static_cast<size_t>(frames[0][2] - '0');
        ASSERT_EQ(std::to_string(next[shard]++), frames[1]);
    }
    for (auto& publisher : publishers) publisher.join();
    EXPECT_EQ(3 * kMessages, gateway.outcome("r", "sent"));
    EXPECT_EQ(0, gateway.imbalance("r"));
}

}  // namespace
}  // namespace trestle::zmq
