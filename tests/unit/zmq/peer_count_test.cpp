#include "zmq/peer_count.h"

#include <gtest/gtest.h>
#include <zmq.h>

namespace trestle::zmq {
namespace {

constexpr uint64_t kHandshake = 5000;
constexpr uint64_t kOfAge = kHandshake + PeerCount::kSlackMs;

struct Counted : PeerCount {
    Counted() : PeerCount(kHandshake) {}
    void accept(uint32_t descriptor) { on_event(ZMQ_EVENT_ACCEPTED, descriptor, now_ms); }
    void shake() { on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0, now_ms); }
    void fail() { on_event(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 0, now_ms); }
    void leave(uint32_t descriptor) { on_event(ZMQ_EVENT_DISCONNECTED, descriptor, now_ms); }
    void wait(uint64_t ms) { pass_time(now_ms += ms); }
    uint64_t now_ms = 1000;
};

TEST(PeerCount, CountsAfterTheHandshake) {
    Counted count;
    count.accept(7);
    EXPECT_EQ(0U, count.peers());
    count.shake();
    EXPECT_EQ(1U, count.peers());
    count.on_event(ZMQ_EVENT_CONNECTED, 8, count.now_ms);
    count.shake();
    EXPECT_EQ(2U, count.peers());
    count.wait(kOfAge);
    EXPECT_EQ(2U, count.peers());
    count.leave(7);
    count.leave(8);
    EXPECT_EQ(0U, count.peers());
    EXPECT_EQ(PeerCount::kNothing, count.next_due_ms());
}

TEST(PeerCount, SilentConnectionsAreNoPeers) {
    Counted count;
    count.accept(7);  // says nothing, is thrown out
    count.accept(8);
    count.shake();
    EXPECT_EQ(1U, count.peers());
    count.wait(kHandshake);
    count.fail();
    count.leave(7);
    EXPECT_EQ(1U, count.peers());
    count.leave(8);
    EXPECT_EQ(0U, count.peers());
}

TEST(PeerCount, APeerWhoseEndLooksLikeAFailureLeavesTheOthers) {
    Counted count;
    count.accept(7);
    count.accept(8);
    count.shake();   // was 7
    count.leave(8);  // a socket of the wrong type: libzmq ends it without a word
    count.wait(kOfAge);
    EXPECT_EQ(1U, count.peers());
    count.leave(7);
    EXPECT_EQ(0U, count.peers());
}

TEST(PeerCount, ShortVisitsAddUpToNothing) {
    Counted count;
    for (uint32_t i = 0; i < 1000; ++i) {
        count.accept(i % 3);
        count.shake();
        if (i % 7 == 0) count.wait(10);
        count.leave(i % 3);
        ASSERT_EQ(0U, count.peers()) << i;
    }
    count.wait(2 * kOfAge);
    EXPECT_EQ(0U, count.peers());
    EXPECT_EQ(PeerCount::kNothing, count.next_due_ms());
}

TEST(PeerCount, StrangeEventsDoNoHarm) {
    Counted count;
    count.shake();
    count.leave(3);
    count.fail();
    EXPECT_EQ(0U, count.peers());
    count.accept(3);
    count.shake();
    count.accept(3);  // the end of the former was not told
    count.wait(kOfAge);
    EXPECT_EQ(1U, count.peers());
    count.leave(3);
    EXPECT_EQ(0U, count.peers());
}

}  // namespace
}  // namespace trestle::zmq
