// Listeners: the kinds of addresses, what stands in the way, and what is said then.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "peer.h"
#include "runtime/shard_pool.h"

namespace trestle {
namespace {

using test::Board;
using test::Peer;

class Listening : public testing::Test {
 protected:
    Listening() {
        char name[] = "/tmp/trestle-listener-XXXXXX";
        folder_ = ::mkdtemp(name);
        pool_.start();
    }
    ~Listening() override {
        on([&] { listener_.reset(); });
        pool_.stop();
        ::unlink(socket_file().c_str());
        ::rmdir(folder_.c_str());
    }
    void on(const std::function<void()>& work) { ShardPool::run_on(pool_[0], work); }
    [[nodiscard]] std::string socket_file() const { return folder_ + "/socket"; }
    [[nodiscard]] std::string local_uri() const { return "mqtt+unix://" + socket_file(); }
    std::unique_ptr<Listener> open(const std::string& uri) {
        std::unique_ptr<Listener> made;
        on([&] {
            made = listen(pool_[0], *parse_uri(uri).uri, [&](Accepted accepted) {
                accepted_at_ = pool_[0].now_ms();
                board_.note([&](Board& b) {
                    b.received += accepted.peer().address + "\n";
                    b.congested = accepted.peer().loopback;
                    ++b.drained;
                });
                const int flags = ::fcntl(Peer(accepted.release()).fd(), F_GETFL);
                EXPECT_NE(flags & O_NONBLOCK, 0);
            });
        });
        return made;
    }
    /// What opening fails with.
    std::string fault(const std::string& uri) {
        try {
            auto made = open(uri);
            on([&] { made.reset(); });
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "no fault";
    }
    bool accepted(int count) {
        return board_.wait([&](Board& b) { return b.drained == count; });
    }

    Hub hub_{1};
    ShardPool pool_{hub_, 1};
    Board board_;
    uint64_t accepted_at_ = 0;
    std::string folder_;
    std::unique_ptr<Listener> listener_;
};

TEST_F(Listening, Tcp) {
    listener_ = open("mqtt://127.0.0.1:0");
    ASSERT_NE(listener_->port(), 0);
    const Peer one = Peer::tcp(AF_INET, listener_->port());
    const Peer two = Peer::tcp(AF_INET, listener_->port());
    EXPECT_TRUE(accepted(2));
    EXPECT_EQ(board_.look(&Board::received).rfind("127.0.0.1:", 0), 0u);
    EXPECT_TRUE(board_.look(&Board::congested)) << "known to be local";
    const uint16_t port = listener_->port();
    on([&] {
        listener_->close();
        listener_->close();
    });
    EXPECT_FALSE(Peer::tcp(AF_INET, port).connected());
}

TEST_F(Listening, Ipv6) {
    if (!Peer(::socket(AF_INET6, SOCK_STREAM, 0)).connected()) GTEST_SKIP() << "no IPv6 here";
    listener_ = open("mqtt://[::1]:0");
    ASSERT_TRUE(Peer::tcp(AF_INET6, listener_->port()).connected());
    EXPECT_TRUE(accepted(1));
    EXPECT_EQ(board_.look(&Board::received).rfind("[::1]:", 0), 0u);
    EXPECT_TRUE(board_.look(&Board::congested)) << "known to be local";
}

TEST_F(Listening, EveryAddress) {
    listener_ = open("mqtt://*:0");
    EXPECT_TRUE(Peer::tcp(AF_INET, listener_->port()).connected());
    EXPECT_TRUE(accepted(1));
}

TEST_F(Listening, APortInUseIsNamed) {
    listener_ = open("mqtt://127.0.0.1:0");
    const std::string address = "127.0.0.1:" + std::to_string(listener_->port());
    EXPECT_EQ(fault("mqtt://" + address),
              "cannot listen on mqtt://" + address + ": Address already in use");
    EXPECT_NE(fault("mqtt://192.0.2.1:0").find("Cannot assign requested address"),
              std::string::npos);
}

TEST_F(Listening, UnixSocket) {
    listener_ = open(local_uri());
    EXPECT_TRUE(Peer::local(socket_file()).connected());
    EXPECT_TRUE(accepted(1));
    EXPECT_EQ(board_.look(&Board::received), "unix\n");
    EXPECT_NE(fault(local_uri()).find("Address already in use"), std::string::npos);
    EXPECT_TRUE(Peer::local(socket_file()).connected()) << "the first one is not disturbed";
    on([&] { listener_.reset(); });
    EXPECT_NE(::access(socket_file().c_str(), F_OK), 0) << "its file goes with it";
}

TEST_F(Listening, AStaleSocketFileIsReplaced) {
    {
        const Peer crashed(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket_file().data(), socket_file().size());
        ASSERT_EQ(::bind(crashed.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    ASSERT_EQ(::access(socket_file().c_str(), F_OK), 0);
    listener_ = open(local_uri());
    EXPECT_TRUE(Peer::local(socket_file()).connected());
    EXPECT_TRUE(accepted(1));
}

TEST_F(Listening, AFileThatIsNoSocketIsLeftAlone) {
    std::ofstream(socket_file()) << "precious";
    EXPECT_NE(fault(local_uri()).find("not a socket"), std::string::npos);
    std::string content;
    std::ifstream(socket_file()) >> content;
    EXPECT_EQ(content, "precious");
}

TEST_F(Listening, AUnixPathThatCannotBeIsNamed) {
    EXPECT_NE(fault("mqtt+unix://" + folder_ + "/none/socket").find("No such file or directory"),
              std::string::npos);
    Uri uri;
    uri.scheme = "mqtt+unix";
    uri.is_local = true;
    uri.path = "/" + std::string(200, 'x');
    on([&] { EXPECT_THROW(listen(pool_[0], uri, nullptr), std::runtime_error); });
}

/// Counts lines.
class CountingLog final : public LogSink {
 public:
    void write(LogLevel level, std::string_view, std::string_view message) override {
        EXPECT_EQ(level, LogLevel::warn);
        EXPECT_NE(message.find("descriptors are in use"), std::string_view::npos) << message;
        ++lines;
    }
    std::atomic<int> lines{0};
};

/// Lets the process have so few descriptors, as long as it lives.
class FewDescriptors {
 public:
    explicit FewDescriptors(rlim_t most) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit few{most, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    }
    ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    FewDescriptors(const FewDescriptors&) = delete;

 private:
    rlimit before_{};
};

TEST_F(Listening, SomeDescriptorsAreKeptFromClients) {
    const FewDescriptors few(64);
    CountingLog sink;
    std::vector<Peer> kept;
    on([&] {
        listener_ = listen(
            pool_[0], *parse_uri("mqtt://127.0.0.1:0").uri,
            [&](Accepted accepted) {
                EXPECT_TRUE(kept.emplace_back(accepted.release()).write("!"));
            },
            Log(sink, "devices"));
    });
    std::vector<Peer> peers;
    const auto is_accepted = [&] {
        peers.push_back(Peer::tcp(AF_INET, listener_->port()));
        EXPECT_TRUE(peers.back().connected());
        return peers.back().read(1) == "!";
    };
    while (is_accepted()) {
    }
    std::vector<Peer> others;
    for (int i = 0; i < 7; ++i) {
        EXPECT_TRUE(others.emplace_back(::dup(STDERR_FILENO)).connected()) << "nothing is kept";
    }
    others.clear();
    EXPECT_FALSE(is_accepted());
    EXPECT_EQ(sink.lines, 1) << "of two that were refused";
    peers.erase(peers.begin(), peers.begin() + 4);
    on([&] { kept.clear(); });
    EXPECT_TRUE(is_accepted()) << "others have left";
    on([&] { kept.clear(); });
}

// The first connection after a silence must have all of its time to say CONNECT.
TEST_F(Listening, TheClockIsRightWhenAConnectionComes) {
    listener_ = open("mqtt://127.0.0.1:0");
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // the shard has nothing to do
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
    const Peer peer = Peer::tcp(AF_INET, listener_->port());
    ASSERT_TRUE(accepted(1));
    on([&] { EXPECT_GE(accepted_at_, static_cast<uint64_t>(now.count())); });
}

}  // namespace
}  // namespace trestle
