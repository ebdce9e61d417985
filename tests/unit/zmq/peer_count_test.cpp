#include <gtest/gtest.h>

#include "zmq/monitor.h"

namespace trestle::zmq {
namespace {

TEST(PeerCount, CountsAfterTheHandshake) {
    PeerCount count;
    count.on_event(ZMQ_EVENT_ACCEPTED, 7);
    EXPECT_EQ(0U, count.peers());
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    EXPECT_EQ(1U, count.peers());
    count.on_event(ZMQ_EVENT_CONNECTED, 8);
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    EXPECT_EQ(2U, count.peers());
    count.on_event(ZMQ_EVENT_DISCONNECTED, 7);
    count.on_event(ZMQ_EVENT_DISCONNECTED, 8);
    EXPECT_EQ(0U, count.peers());
}

TEST(PeerCount, SilentConnectionsAreNoPeers) {
    PeerCount count;
    count.on_event(ZMQ_EVENT_ACCEPTED, 7);  // says nothing, is thrown out
    count.on_event(ZMQ_EVENT_ACCEPTED, 8);
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    count.on_event(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 0);
    count.on_event(ZMQ_EVENT_DISCONNECTED, 7);
    EXPECT_EQ(1U, count.peers());
    count.on_event(ZMQ_EVENT_DISCONNECTED, 8);
    EXPECT_EQ(0U, count.peers());
}

TEST(PeerCount, AWrongGuessIsCorrectedByTheFailure) {
    PeerCount count;
    count.on_event(ZMQ_EVENT_ACCEPTED, 7);
    count.on_event(ZMQ_EVENT_ACCEPTED, 8);             // the silent one came last
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);  // was 7
    count.on_event(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 0);
    count.on_event(ZMQ_EVENT_DISCONNECTED, 8);
    EXPECT_EQ(1U, count.peers());
    count.on_event(ZMQ_EVENT_DISCONNECTED, 7);
    EXPECT_EQ(0U, count.peers());
}

TEST(PeerCount, StrangeEventsDoNoHarm) {
    PeerCount count;
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    count.on_event(ZMQ_EVENT_DISCONNECTED, 3);
    count.on_event(ZMQ_EVENT_ACCEPTED, 3);
    count.on_event(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
    count.on_event(ZMQ_EVENT_ACCEPTED, 3);  // the end of the former was not told
    EXPECT_EQ(0U, count.peers());
}

}  // namespace
}  // namespace trestle::zmq
