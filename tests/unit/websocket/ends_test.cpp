// How connections end: by either side, by silence, by the end of the program; and how they move.
#include "fixture.h"

namespace trestle::test {
namespace {

using EndsTest = WebSocketTest;

class ThreeShardsTest : public WebSocketTest {
 protected:
    ThreeShardsTest() : WebSocketTest(3) {}
};

TEST_F(EndsTest, ThePeerCloses) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "last") + close_frame(1001));
    EXPECT_EQ(client.bytes(4), "last");
    EXPECT_EQ(client.close_code(), 1001);
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(seen_.end(), "closed by the peer, code 1001");
}

TEST_F(EndsTest, ThePeerGoesWithoutAWord) {
    start();
    {
        Client client(port());
        ASSERT_TRUE(client.upgrade());
    }
    EXPECT_EQ(seen_.end(), "closed by the peer without a close frame");
    EXPECT_EQ(errors("bad_frame"), 0u);
}

TEST_F(EndsTest, WeClose) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!close\n"));
    EXPECT_EQ(client.bytes(3), "bye");
    EXPECT_EQ(client.close_code(), 1000);
    client.send(frame(kBinary, "too late") + close_frame(1000));
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(seen_.end(), "closed");
    EXPECT_EQ(seen_.get(&Seen::bytes), "");
}

TEST_F(EndsTest, WeCloseAndThePeerDoesNotAnswer) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!close\n"));
    EXPECT_TRUE(client.ended());  // after five seconds
    EXPECT_EQ(seen_.end(), "closed, and the peer did not answer in time");
}

// In one read with what makes us close: there is one Close in each direction (section 5.5.1).
TEST_F(EndsTest, WeCloseAndSomethingElseEndsIt) {
    start();
    for (const std::string& other : {close_frame(1001), frame(3, "an unknown opcode")}) {
        Client client(port());
        ASSERT_TRUE(client.upgrade());
        client.send(frame(kBinary, "!close\n") + other);
        EXPECT_EQ(client.bytes(3), "bye");
        EXPECT_EQ(client.close_code(), 1000);
        EXPECT_FALSE(client.next());
    }
    EXPECT_EQ(seen_.end(), "closed");
}

TEST_F(EndsTest, WeAbortAndThePeerCloses) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!abort\n") + close_frame(1001));
    EXPECT_FALSE(client.next());
    EXPECT_EQ(seen_.end(), "ordered to");
}

TEST_F(EndsTest, WeAbort) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!abort\n"));
    EXPECT_FALSE(client.next());
    EXPECT_EQ(seen_.end(), "ordered to");
}

TEST_F(EndsTest, SilentPeersArePinged) {
    set("ping_interval_ms", 250);
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    for (int i = 0; i < 3; ++i) {
        const auto ping = client.next();
        ASSERT_TRUE(ping);
        EXPECT_EQ(ping->opcode(), kPing);
        client.send(frame(kPong, ping->payload));
    }
    EXPECT_TRUE(seen_.get(&Seen::closed).empty());
    const auto ping = client.next();
    ASSERT_TRUE(ping);
    EXPECT_EQ(ping->opcode(), kPing);
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(seen_.end(), "did not answer a ping");
    EXPECT_EQ(errors("no_pong"), 1u);
}

TEST_F(EndsTest, StopEndsHandshakesAndStreams) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "x"));
    EXPECT_EQ(client.bytes(1), "x");
    Client unfinished(port());
    unfinished.send("GET / HTTP");
    // It has been accepted when a later one has.
    Client later(port());
    ASSERT_TRUE(later.upgrade());
    later.send(frame(kBinary, "y"));
    EXPECT_EQ(later.bytes(1), "y");
    stop();
    EXPECT_EQ(client.close_code(), 1000);
    EXPECT_TRUE(unfinished.ended());
    EXPECT_TRUE(seen_.wait([](Seen& s) { return s.stopped; }));
    EXPECT_EQ(failures("shutdown"), 1u);
    EXPECT_THROW(Client{port()}, std::runtime_error);
    EXPECT_EQ(endpoint_->not_ready(), "is not listening");
}

TEST_F(EndsTest, SaysWhichAddressIsTaken) {
    start();
    Settings again = settings_;
    again.set("listen", std::vector<std::string>{"ws://127.0.0.1:" + std::to_string(port())}, true);
    auto second = plugin_->make_endpoint(context_, again);
    std::string what;
    ShardPool::run_on(pool_[0], [&] {
        try {
            second->start();
        } catch (const std::exception& error) {
            what = error.what();
        }
        second.reset();
    });
    EXPECT_NE(what.find(std::to_string(port())), std::string::npos) << what;
    EXPECT_NE(what.find("in use"), std::string::npos) << what;
}

TEST_F(ThreeShardsTest, ConnectionsAreSpreadOverShardsAndAddresses) {
    settings_.set("listen", std::vector<std::string>{"ws://127.0.0.1:0", "ws://[::1]:0/only"},
                  true);
    start();
    ASSERT_EQ(ports_.size(), 2u);
    for (int i = 0; i < 3; ++i) {
        Client client(ports_[0]);
        ASSERT_TRUE(client.upgrade());
        client.send(frame(kBinary, "x"));
        EXPECT_EQ(client.bytes(1), "x");
    }
    EXPECT_EQ(seen_.get(&Seen::shards), (std::vector<ShardIndex>{0, 1, 2}));
    Client elsewhere(ports_[1], true);
    EXPECT_FALSE(elsewhere.upgrade());
    Client six(ports_[1], true);
    six.send(upgrade_request({}, "GET /only HTTP/1.1"));
    EXPECT_TRUE(six.answer().starts_with("HTTP/1.1 101 "));
    EXPECT_TRUE(seen_.wait([](Seen& s) { return s.shards.size() == 4; }));
    EXPECT_NE(seen_.get(&Seen::subjects).find("[::1]:"), std::string::npos);
}

TEST_F(ThreeShardsTest, AStreamIsUsedFromAnotherShard) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!move 2\nwith it") + frame(kBinary, ", behind it"));
    EXPECT_EQ(client.bytes(18), "with it, behind it");
    client.send(frame(kBinary, "!send 3000000\n"));
    EXPECT_EQ(client.bytes(3'000'000), std::string(3'000'000, 's'));
    client.send(frame(kBinary, "!close\n"));
    EXPECT_EQ(client.bytes(3), "bye");
    EXPECT_EQ(client.close_code(), 1000);
    client.send(close_frame(1000));
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(seen_.end(), "closed");
}

TEST_F(ThreeShardsTest, TextClosesAStreamThatHasMoved) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!move 1\n") + frame(kBinary, "there"));
    EXPECT_EQ(client.bytes(5), "there");
    client.send(frame(kText, "no"));
    EXPECT_EQ(client.close_code(), 1003);
    client.send(close_frame(1003));
    EXPECT_EQ(seen_.end(), "sent a text frame");
}

}  // namespace
}  // namespace trestle::test
