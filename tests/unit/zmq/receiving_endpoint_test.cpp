#include "zmq/receiving_endpoint.h"

#include <map>
#include <set>

#include "core/properties.h"
#include "test_gateway.h"
#include "zmq/push_endpoint.h"

namespace trestle::zmq {
namespace {

using Value = Settings::Value;

TestGateway::RouteSpec commands(RouteOptions options = {}) {
    return {"commands", "d/{id}/cmd", "cmd.{id}", "", "in", options};
}

double received(const TestGateway& gateway) {
    return gateway.metric("trestle_messages_received_total", {{"endpoint", "in"}});
}

TEST(PullEndpoint, PublishesWithTheRoutesOptions) {
    TestGateway gateway(2);
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    RouteOptions options;
    options.qos_in = Qos::exactly_once;
    options.retain = true;
    gateway.set_routes({commands(options)});
    Collector here(gateway, "d/#", 0);
    Collector there(gateway, "d/+/cmd", 1);
    Peer worker(ZMQ_PUSH, pull.bound_address());
    for (int i = 0; i < 2000; ++i) worker.send({"cmd." + std::to_string(i % 3), std::to_string(i)});
    for (auto* collector : {&here, &there}) {
        const auto got = collector->wait_for(2000);
        for (size_t i = 0; i < 2000; ++i) {
            ASSERT_EQ("d/" + std::to_string(i % 3) + "/cmd", got[i].topic);
            ASSERT_EQ(std::to_string(i), got[i].payload);
            ASSERT_EQ(Qos::exactly_once, got[i].qos);
            ASSERT_TRUE(got[i].retain);
        }
    }
    EXPECT_EQ(2000, received(gateway));
    EXPECT_EQ(0, gateway.metric("trestle_messages_dropped_total", {{"endpoint", "in"}}));
}

TEST(PullEndpoint, EveryMessageThatCannotBePublishedIsCountedByReason) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>(
        "in", settings_for("pull", {{"max_message_size", int64_t{1000}}}));
    gateway.set_routes({commands()});
    Collector collector(gateway, "d/#");
    Peer worker(ZMQ_PUSH, pull.bound_address());
    const std::vector<std::pair<std::string, Parts>> bad{
        {"bad_frames", {"cmd.1"}},
        {"bad_frames", {""}},
        {"bad_frames", {"cmd.1", "a", "b"}},
        {"bad_frames", Parts(900, "x")},
        {"bad_key", {"", "x"}},
        {"bad_key", {"cmd.\xff", "x"}},
        {"bad_key", {"cmd.+", "x"}},
        {"bad_key", {"cmd.#", "x"}},
        {"bad_key", {std::string("cmd.\0", 5), "x"}},
        {"no_route", {"other.1", "x"}},
        {"no_route", {"cmd.", "x"}},
        {"too_large", {"cmd.1", std::string(1001, 'x')}},
    };
    std::map<std::string, int> expected;
    for (const auto& [reason, frames] : bad) {
        ++expected[reason];
        worker.send(frames);
    }
    worker.send({"cmd.1", "good"});
    EXPECT_EQ("good", collector.wait_for(1)[0].payload);
    EXPECT_EQ(1U, collector.got().size());
    for (const auto& [reason, count] : expected) {
        EXPECT_EQ(count, gateway.dropped("in", reason)) << reason;
    }
    EXPECT_EQ(static_cast<double>(bad.size() + 1), received(gateway));
}

TEST(PullEndpoint, AKeyTooLongForATopicIsBad) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    gateway.set_routes({commands()});
    Peer worker(ZMQ_PUSH, pull.bound_address());
    worker.send({"cmd." + std::string(65'536, 'x'), "x"});
    EXPECT_TRUE(eventually([&] { return gateway.dropped("in", "bad_key") == 1; }));
}

TEST(PullEndpoint, AHugeFrameEndsThatConnectionOnly) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>(
        "in", settings_for("pull", {{"max_message_size", int64_t{1000}}}));
    gateway.set_routes({commands()});
    Collector collector(gateway, "d/#");
    Peer good(ZMQ_PUSH, pull.bound_address());
    Peer bad(ZMQ_PUSH, pull.bound_address(), [](void* s) { set_option(s, ZMQ_RECONNECT_IVL, -1); });
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 2; }));
    bad.send({"cmd.1", std::string(10'000'000, 'x')});
    EXPECT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 1; }));
    good.send({"cmd.1", "still here"});
    EXPECT_EQ("still here", collector.wait_for(1)[0].payload);
}

TEST(PullEndpoint, NobodySubscribesIsCounted) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    gateway.set_routes({commands()});
    Peer worker(ZMQ_PUSH, pull.bound_address());
    worker.send({"cmd.1", "x"});
    EXPECT_TRUE(eventually([&] { return gateway.dropped("in", "no_subscriber") == 1; }));
}

TEST(PullEndpoint, TheMostSpecificRouteDecides) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    gateway.set_routes(
        {{"wide", "all/{rest...}", "k.{rest...}", "", "in"}, {"narrow", "one/x", "k.x", "", "in"}});
    Collector collector(gateway, "#");
    Peer worker(ZMQ_PUSH, pull.bound_address());
    for (const auto* key : {"k.x", "k.y", "k.x"}) worker.send({key, "1"});
    const auto got = collector.wait_for(3);
    EXPECT_EQ("one/x", got[0].topic);
    EXPECT_EQ("all/y", got[1].topic);
    EXPECT_EQ("one/x", got[2].topic);
    gateway.set_routes({{"wide", "all/{rest...}", "k.{rest...}", "", "in"}});
    worker.send({"k.x", "1"});
    EXPECT_EQ("all/x", collector.wait_for(4)[3].topic);
}

TEST(PullEndpoint, PayloadAloneGoesToTheOneTopic) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>(
        "in", settings_for("pull", {{"format", Value(std::string("payload"))}}));
    Peer worker(ZMQ_PUSH, pull.bound_address());
    worker.send({"early"});
    EXPECT_TRUE(eventually([&] { return gateway.dropped("in", "no_route") == 1; }));
    gateway.set_routes({{"r", "fixed/topic", "any", "", "in"}});
    Collector collector(gateway, "#");
    worker.send({"one"});
    worker.send({"a", "b"});
    worker.send({""});
    const auto got = collector.wait_for(2);
    EXPECT_EQ("fixed/topic", got[0].topic);
    EXPECT_EQ("one", got[0].payload);
    EXPECT_EQ("", got[1].payload);
    EXPECT_EQ(1, gateway.dropped("in", "bad_frames"));
}

TEST(PullEndpoint, FullTakesOverWhatMetaSays) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>(
        "in", settings_for("pull", {{"format", Value(std::string("full"))}}));
    gateway.set_routes({commands()});
    Collector collector(gateway, "#");
    Peer worker(ZMQ_PUSH, pull.bound_address());
    worker.send({"cmd.1",
                 R"({"qos":0,"retain":true,"expiry_s":100,"response_topic":"r",)"
                 R"("properties":[["a","b"]]})",
                 "x"});
    worker.send({"cmd.1", "{}", "y"});
    worker.send({"cmd.1", R"({"qos":9})", "z"});
    worker.send({"cmd.1", "{}", "last"});
    const auto got = collector.wait_for(3);
    EXPECT_EQ(Qos::at_most_once, got[0].qos);
    EXPECT_TRUE(got[0].retain);
    EXPECT_NE(kNeverExpires, got[0].expires_at_ms);
    EXPECT_EQ("r", ApplicationProperties(got[0].properties).response_topic());
    EXPECT_EQ(Qos::at_least_once, got[1].qos) << "the route's";
    EXPECT_FALSE(got[1].retain);
    EXPECT_EQ(kNeverExpires, got[1].expires_at_ms);
    EXPECT_EQ("last", got[2].payload);
    EXPECT_EQ(1, gateway.dropped("in", "bad_frames"));
}

TEST(PullEndpoint, StopsReadingWhileAFullRouteKeepsItWaiting) {
    constexpr int kMessages = 30'000;
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    RouteOptions narrow;
    narrow.max_messages = 10;
    narrow.block_ms = 60'000;
    gateway.set_routes({commands(), {"on", "d/{id}/cmd", "on.{id}", "out", "", narrow}});
    std::thread sender([&] {
        Peer worker(ZMQ_PUSH, pull.bound_address(), [](void* s) { set_option(s, ZMQ_LINGER, -1); });
        for (int i = 0; i < kMessages; ++i) worker.send({"cmd.1", std::to_string(i)});
    });
    EXPECT_TRUE(eventually([&] { return received(gateway) >= 1000; }));
    // It stands still: what is open is all there is.
    EXPECT_LE(received(gateway), 1010);
    EXPECT_EQ(0, gateway.outcome("on", "refused"));
    Peer sink(ZMQ_PULL, push.bound_address());
    for (int i = 0; i < kMessages; ++i) {
        ASSERT_EQ((Parts{"on.1", std::to_string(i)}), sink.receive());
    }
    sender.join();
    EXPECT_EQ(kMessages, received(gateway));
    EXPECT_TRUE(eventually([&] { return gateway.outcome("on", "sent") == kMessages; }));
    EXPECT_EQ(0, gateway.imbalance("on"));
}

TEST(PullEndpoint, StopsAtOnce) {
    TestGateway gateway;
    auto& pull = gateway.add<ReceivingEndpoint>("in", settings_for("pull"));
    gateway.set_routes({commands()});
    Peer worker(ZMQ_PUSH, pull.bound_address());
    for (int i = 0; i < 100; ++i) worker.send({"cmd.1", "x"});
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(gateway.stop(pull, 8000));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

class SubEndpointTest : public testing::Test {
 protected:
    /// What the endpoint asks of publishers, as an XPUB sees it; waits for so many.
    std::set<std::string> asked(Peer& xpub, size_t count) {
        while (asked_.size() < count) {
            const auto note = xpub.receive();
            if (note.empty()) break;
            if (note[0][0] == 1) asked_.insert(note[0].substr(1));
            if (note[0][0] == 0) asked_.erase(note[0].substr(1));
        }
        return asked_;
    }
    std::set<std::string> asked_;
};

TEST_F(SubEndpointTest, AsksForThePrefixesOfItsRoutes) {
    TestGateway gateway;
    auto& sub = gateway.add<ReceivingEndpoint>("in", settings_for("sub"));
    gateway.set_routes({{"a", "a/{x}", "a.{x}", "", "in"}, {"b", "b/{x}", "b.{x}", "", "in"}});
    Peer worker(ZMQ_XPUB, sub.bound_address());
    EXPECT_EQ((std::set<std::string>{"a.", "b."}), asked(worker, 2));
    Collector collector(gateway, "#");
    worker.send({"c.1", "no"});
    worker.send({"b.1", "yes"});
    EXPECT_EQ("b/1", collector.wait_for(1)[0].topic);
    EXPECT_EQ(0, gateway.dropped("in", "no_route")) << "it does not even come here";
    gateway.set_routes({{"a", "a/{x}", "a.{x}", "", "in"}, {"c", "c/{x}", "c.{x}", "", "in"}});
    asked_.erase("b.");
    EXPECT_EQ((std::set<std::string>{"a.", "c."}), asked(worker, 2));
}

TEST_F(SubEndpointTest, PrefixesThatLibzmqGarblesAreShortened) {
    TestGateway gateway;
    const std::string long_prefix(250, 'p');
    auto& sub = gateway.add<ReceivingEndpoint>(
        "in", settings_for("sub", {{"subscribe", std::vector<std::string>{long_prefix}}}));
    gateway.set_routes({{"r", "t/{x}", "{x}", "", "in"}});
    Peer worker(ZMQ_XPUB, sub.bound_address());
    EXPECT_EQ((std::set<std::string>{std::string(245, 'p')}), asked(worker, 1));
    Collector collector(gateway, "#");
    worker.send({std::string(246, 'p'), "not asked for"});
    worker.send({long_prefix + "1", "asked for"});
    EXPECT_EQ("asked for", collector.wait_for(1)[0].payload);
    EXPECT_EQ(1U, collector.got().size());
    EXPECT_EQ(1, gateway.dropped("in", "no_route"));
}

}  // namespace
}  // namespace trestle::zmq
