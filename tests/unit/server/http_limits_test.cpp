// What peers that are slow, silent or many can do to the server: nothing but to themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http_fixture.h"

namespace trestle {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::StartsWith;

TEST_F(HttpServerTest, ASlowRequestIsCutHoweverItTrickles) {
    HttpLimits limits;
    limits.request_timeout = milliseconds(200);
    start(limits);
    Peer silent(port_);
    silent.send("GET /hello HT");
    EXPECT_EQ(silent.all(), "");

    // Bytes that go on arriving do not move the deadline: the server ends it, not the test.
    Peer trickling(port_);
    const auto begin = std::chrono::steady_clock::now();
    trickling.send("GET /hello HTTP/1.1\r\nX-Slow: ");
    std::string seen = "TIMEOUT";
    trickling.give_up_reading_after(milliseconds(20));
    while (seen.ends_with("TIMEOUT") &&
           std::chrono::steady_clock::now() - begin < std::chrono::seconds(10)) {
        trickling.send("x");
        seen = trickling.all();
    }
    EXPECT_THAT(seen, testing::AnyOf("", "RESET"));
}

TEST_F(HttpServerTest, IdleConnectionsAreClosedAfterAWhile) {
    HttpLimits limits;
    limits.idle_timeout = milliseconds(100);
    start(limits);
    Peer fresh(port_);
    EXPECT_EQ(fresh.all(), "");
    Peer used(port_);
    used.send(get("/hello"));
    EXPECT_THAT(used.answer(), EndsWith("hi\n"));
    EXPECT_EQ(used.all(), "");
}

TEST_F(HttpServerTest, APeerThatDoesNotReadItsAnswerIsCut) {
    HttpLimits limits;
    limits.write_timeout = milliseconds(200);
    start(limits);
    Peer peer(port_);
    peer.send(get("/large"));
    ASSERT_TRUE(eventually([this] { return busy_connections() == 1; }));
    EXPECT_TRUE(eventually([this] { return connections() == 0; }));
    EXPECT_LT(peer.all().size(), kLarge);
}

TEST_F(HttpServerTest, ALargeAnswerArrivesWhole) {
    start();
    Peer reader(port_);
    reader.send(get("/large"));
    EXPECT_GT(reader.answer().size(), kLarge);
}

TEST_F(HttpServerTest, ALingeringPeerIsCut) {
    HttpLimits limits;
    limits.linger_timeout = milliseconds(100);
    start(limits);
    Peer peer(port_);
    peer.send("nonsense\r\n\r\n");
    EXPECT_THAT(peer.all(), StartsWith("HTTP/1.1 400 "));
    EXPECT_TRUE(eventually([this] { return connections() == 0; })) << "although the peer stays";
}

TEST_F(HttpServerTest, NewConnectionsAreRefusedWhileAllAreBusy) {
    HttpLimits limits;
    limits.max_connections = 3;
    start(limits);
    std::vector<std::unique_ptr<Peer>> busy;
    for (size_t i = 0; i < limits.max_connections; ++i) {
        busy.push_back(std::make_unique<Peer>(port_));
        busy.back()->send(get("/large"));
    }
    // Until its request has been read a connection counts as idle, and a newcomer takes its place.
    ASSERT_TRUE(eventually([this] { return busy_connections() == 3; }));
    for (int i = 0; i < 20; ++i) {
        Peer refused(port_);
        EXPECT_THAT(refused.all(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    }
    EXPECT_EQ(connections(), 3u);
    for (auto& peer : busy) {
        EXPECT_GT(peer->answer().size(), kLarge);
    }
}

TEST_F(HttpServerTest, TheLongestIdleConnectionMakesRoom) {
    HttpLimits limits;
    limits.max_connections = 2;
    start(limits);
    Peer first(port_);
    first.send(get("/hello"));
    EXPECT_THAT(first.answer(), EndsWith("hi\n"));
    Peer second(port_);
    second.send(get("/hello"));
    EXPECT_THAT(second.answer(), EndsWith("hi\n"));
    ASSERT_TRUE(eventually([this] { return busy_connections() == 0; }));
    EXPECT_THAT(ask(get("/hello")), EndsWith("hi\n"));
    EXPECT_EQ(first.all(), "");
    second.send(get("/hello"));
    EXPECT_THAT(second.answer(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, RequestsThatAreNotCompleteMakeRoom) {
    HttpLimits limits;
    limits.max_connections = 3;
    start(limits);
    std::vector<std::unique_ptr<Peer>> slow;
    for (size_t i = 0; i < limits.max_connections; ++i) {
        slow.push_back(std::make_unique<Peer>(port_));
        slow.back()->send("G");
    }
    ASSERT_TRUE(eventually([this] { return connections() == 3; }));
    EXPECT_THAT(ask(get("/healthz")), EndsWith("ok\n"));
    EXPECT_THAT(slow[0]->all(), testing::AnyOf("", "RESET")) << "the one that began first";
    slow[2]->send("ET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(slow[2]->answer(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, PeersThatComeAndGoLeaveNothing) {
    start();
    for (int i = 0; i < 60; ++i) {
        Peer peer(port_);
        if (i % 3 == 0) peer.send("GET /hel");
        if (i % 15 == 1) peer.send(get("/large"));
    }
    EXPECT_TRUE(eventually([this] { return connections() == 0; }));
    EXPECT_THAT(ask(get("/hello")), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, StopClosesEverythingAtOnce) {
    start();
    Peer idle(port_);
    Peer half(port_);
    half.send("GET /hello");
    Peer large(port_);
    large.send(get("/large"));
    ASSERT_TRUE(eventually([this] { return connections() == 3; }));
    on_loop([this] { server_->stop(); });
    EXPECT_EQ(connections(), 0u);
    EXPECT_THAT(idle.all(), testing::AnyOf("", "RESET"));
    half.all();
    EXPECT_LT(large.all().size(), kLarge);
    EXPECT_THROW(Peer{port_}, std::runtime_error);
}

}  // namespace
}  // namespace trestle
