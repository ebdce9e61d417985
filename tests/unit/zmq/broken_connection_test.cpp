// Connections that break while libzmq does not read them, as the pipe is full
// (src/runtime/libzmq_guard.cpp).
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "test_gateway.h"
#include "zmq/socket.h"

namespace trestle::zmq {
namespace {

using namespace std::string_view_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kMessage = "\0\1x"sv;
constexpr auto kPing = "\4\7\4PING\0\0"sv;
constexpr size_t kMessages = 30;
constexpr int kPipe = 10;  // messages

// In one read of libzmq's, so that it has them all when it stops.
std::string all_messages() {
    std::string all;
    for (size_t i = 0; i < kMessages; ++i) all += kMessage;
    return all;
}

uint16_t port_of(const Socket& socket) {
    const std::string address = socket.last_endpoint();
    return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

// A PUSH that speaks ZMTP 3.1 by hand (RFC 37) and ends with a reset.
class RudePeer {
 public:
    explicit RudePeer(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(0, ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address));
        std::string greeting("\xff\0\0\0\0\0\0\0\0\x7f\3\1NULL"sv);
        greeting.resize(64);
        say(greeting);
        say("\4\x1a\5READY\x0bSocket-Type\0\0\0\4PUSH"sv);
    }
    ~RudePeer() {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(descriptor_);
    }
    RudePeer(const RudePeer&) = delete;
    RudePeer& operator=(const RudePeer&) = delete;

    /// The kernel has it on the other side when this is over: on a busy machine it takes its time.
    void say(std::string_view bytes) const {
        ASSERT_EQ(static_cast<ssize_t>(bytes.size()),
                  ::send(descriptor_, bytes.data(), bytes.size(), 0));
        ASSERT_TRUE(eventually([this] {
            int on_the_way = 0;
            return ::ioctl(descriptor_, SIOCOUTQ, &on_the_way) == 0 && on_the_way == 0;
        }));
    }

 private:
    int descriptor_;
};

class BrokenConnection : public ::testing::Test {
 protected:
    void SetUp() override {
        pull_.set(ZMQ_RCVHWM, kPipe);
        other_.bind("tcp://127.0.0.1:*");
    }

    void listen() {
        pull_.monitor("inproc://events", ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
        events_.connect("inproc://events");
        pull_.bind("tcp://127.0.0.1:*");
    }

    void wait_for_event() {
        Frame frame;
        ASSERT_TRUE(eventually([&] { return events_.receive(frame); }));
        events_.receive(frame);  // its address
    }

    // The one I/O thread has seen what came before, on any connection.
    void pass_by() {
        Peer peer(ZMQ_PUSH, other_.last_endpoint());
        peer.send({"x"});
        Frame frame;
        ASSERT_TRUE(eventually([&] { return other_.receive(frame); }));
    }

    size_t receive_all() {
        size_t count = 0;
        Frame frame;
        eventually([&] {
            while (pull_.receive(frame)) ++count;
            return count >= kMessages;
        });
        return count;
    }

    Context context_;
    Socket events_{context_, ZMQ_PAIR};
    Socket pull_{context_, ZMQ_PULL};
    Socket other_{context_, ZMQ_PULL};
};

TEST_F(BrokenConnection, AllThatWasReadComesAlsoWhenAPingIsAmongIt) {
    listen();
    {
        const RudePeer peer(port_of(pull_));
        wait_for_event();
        peer.say(all_messages().append(kPing));
        pass_by();
    }
    pass_by();
    EXPECT_EQ(kMessages, receive_all());
    wait_for_event();
}

TEST_F(BrokenConnection, AHeartbeatIsDueMeanwhile) {
    constexpr int kHeartbeatMs = 50;
    pull_.set(ZMQ_HEARTBEAT_IVL, kHeartbeatMs);
    pull_.set(ZMQ_HEARTBEAT_TIMEOUT, 60'000);
    listen();
    {
        const RudePeer peer(port_of(pull_));
        wait_for_event();
        peer.say(all_messages());
        pass_by();
    }
    const auto until = Clock::now() + std::chrono::milliseconds(4 * kHeartbeatMs);
    while (Clock::now() < until) pass_by();
    EXPECT_EQ(kMessages, receive_all());
    wait_for_event();
}

}  // namespace
}  // namespace trestle::zmq
