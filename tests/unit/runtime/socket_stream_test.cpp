// Streams over sockets: bytes in and out, their bounds, and every way to end.
#include "runtime/socket_stream.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "peer.h"
#include "runtime/shard_pool.h"

namespace trestle {
namespace {

using test::Board;
using test::Peer;
using test::User;

std::string pattern(size_t size) {
    std::string text(size, ' ');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
    return text;
}

/// Consumes units of four bytes of length and as many bytes behind it, like a codec.
struct Units {
    size_t operator()(std::string_view bytes) {
        ++calls;
        size_t used = 0;
        for (;;) {
            uint32_t size = 0;
            if (bytes.size() - used < sizeof size) return used;
            std::memcpy(&size, bytes.data() + used, sizeof size);
            if (bytes.size() - used < sizeof size + size) return used;
            const auto unit = bytes.substr(used + sizeof size, size);
            used += sizeof size + size;
            board.note([&](Board& b) { b.received += unit; });
        }
    }
    static std::string make(std::string_view content) {
        const auto size = static_cast<uint32_t>(content.size());
        std::string unit(reinterpret_cast<const char*>(&size), sizeof size);
        return unit.append(content);
    }
    Board& board;
    size_t calls = 0;
};

class Sockets : public testing::Test {
 protected:
    Sockets() { pool_.start(); }
    ~Sockets() override {
        for (size_t i = 0; i < 2; ++i) on([&] { user_.stream.reset(); }, i);
        pool_.stop();
    }
    void on(const std::function<void()>& work, size_t shard = 0) {
        ShardPool::run_on(pool_[shard], work);
    }
    /// A connected pair of unix sockets; the stream starts to read.
    void connect(int buffer_bytes = 0) {
        int fds[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        if (buffer_bytes != 0) {
            ::setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        }
        peer_ = Peer(fds[1]);
        on([&] { user_.take(make_socket_stream(pool_[0], Accepted(fds[0], {"test", true}))); });
    }
    /// The same over TCP, through a listener.
    void connect_tcp() {
        std::promise<void> arrived;
        std::unique_ptr<Listener> listener;
        on([&] {
            listener = listen(pool_[0], *parse_uri("tcp://127.0.0.1:0").uri, [&](Accepted one) {
                user_.take(make_socket_stream(pool_[0], std::move(one)));
                arrived.set_value();
            });
        });
        peer_ = Peer::tcp(AF_INET, listener->port());
        ASSERT_TRUE(peer_.connected());
        arrived.get_future().wait();
        on([&] { listener.reset(); });
    }
    void echo() {
        user_.on_read = [this](std::string_view bytes) {
            user_.stream->output().append(bytes);
            return bytes.size();
        };
    }
    bool closed() {
        return board_.wait([](Board& b) { return b.closed == 1; });
    }
    bool received(const std::string& all) {
        return board_.wait([&](Board& b) { return b.received.size() >= all.size(); }) &&
               board_.look(&Board::received) == all;
    }

    Hub hub_{2};
    ShardPool pool_{hub_, 2};
    Board board_;
    User user_{board_};
    Peer peer_;
};

TEST_F(Sockets, EchoesEverything) {
    echo();
    connect_tcp();
    const std::string text = pattern(3'000'000);
    std::thread writer([&] { EXPECT_TRUE(peer_.write(text)); });
    EXPECT_EQ(peer_.read(text.size()), text);
    writer.join();
    peer_.close();
    EXPECT_TRUE(closed());
    EXPECT_EQ(board_.look(&Board::closed_why), "closed by the peer");
}

TEST_F(Sockets, WhatIsLeftOverComesAgainInFront) {
    Units units{board_};
    user_.on_read = std::ref(units);
    connect();
    std::string all;
    std::string wire;
    for (size_t i = 0; i < 50; ++i) {
        const std::string content = pattern(i * 37);
        all += content;
        wire += Units::make(content);
    }
    for (size_t i = 0; i < wire.size(); i += 97) peer_.write(wire.substr(i, 97));
    EXPECT_TRUE(received(all));
}

TEST_F(Sockets, ALargePacketComesInManyPieces) {
    Units units{board_};
    user_.on_read = std::ref(units);
    connect_tcp();
    const std::string large = pattern(12'000'000);
    const std::string small = "behind it";
    std::thread writer([&] {
        peer_.write(Units::make(large));
        peer_.write(Units::make(small));
        peer_.write(Units::make(large));
    });
    EXPECT_TRUE(received(large + small + large));
    writer.join();
}

// The bytes kept of an unfinished packet are not touched again at each piece: else a peer that
// sends single bytes could keep a shard busy.
TEST_F(Sockets, SingleBytesBehindALargeRestAreCheap) {
    std::promise<void> half;
    size_t seen = 0;
    user_.on_read = [&](std::string_view bytes) {
        if (seen < 64'000'000 && bytes.size() >= 64'000'000) half.set_value();
        seen = bytes.size();
        return size_t{0};
    };
    connect();
    const std::string large(64'000'000, 'x');
    ASSERT_TRUE(peer_.write(large));
    half.get_future().wait();
    timespec before{};
    timespec after{};
    clockid_t clock{};
    on([&] {
        pthread_getcpuclockid(pthread_self(), &clock);
        clock_gettime(clock, &before);
    });
    constexpr size_t kBytes = 300;
    for (size_t i = 0; i < kBytes; ++i) {
        peer_.write("y");
        on([] {});  // so that each is read alone, mostly
    }
    size_t total = 0;
    while (total < large.size() + kBytes) on([&] { total = seen; });
    on([&] { clock_gettime(clock, &after); });
    const double seconds = static_cast<double>(after.tv_sec - before.tv_sec) +
                           static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
    // Clearing 64 MB at each piece takes several seconds in all; what is needed, a few
    // milliseconds.
    EXPECT_LT(seconds, 1.0);
}

TEST_F(Sockets, ASlowReaderCongestsAndIsToldOnceWhenItHasCaughtUp) {
    connect(16 * 1024);
    const std::string text = pattern(2'000'000);
    on([&] {
        user_.stream->set_high_water(100'000);
        EXPECT_FALSE(user_.stream->congested());
        user_.stream->output().append(text);
        EXPECT_EQ(user_.stream->backlog(), text.size());
        EXPECT_TRUE(user_.stream->congested());
        EXPECT_TRUE(user_.stream->congested());
    });
    const size_t first = text.size() - 300'000;
    std::string got = peer_.read(first);
    on([&] {
        EXPECT_TRUE(user_.stream->congested());
        EXPECT_LE(user_.stream->backlog(), 300'000u);
        EXPECT_EQ(board_.look(&Board::drained), 0);
    });
    got += peer_.read(300'000);
    EXPECT_EQ(got, text);
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 1; }));
    on([&] {
        EXPECT_FALSE(user_.stream->congested());
        user_.stream->output().append("more");
    });
    EXPECT_EQ(peer_.read(4), "more");
    for (int i = 0; i < 3; ++i) on([] {});
    EXPECT_EQ(board_.look(&Board::drained), 1)
        << "only who was told of congestion hears of its end";
}

TEST_F(Sockets, WhoNeverAskedIsNotCalled) {
    connect(16 * 1024);
    const std::string text = pattern(1'000'000);
    on([&] {
        user_.stream->set_high_water(1000);
        user_.stream->output().append(text);
    });
    EXPECT_EQ(peer_.read(text.size()), text);
    for (int i = 0; i < 3; ++i) on([] {});
    EXPECT_EQ(board_.look(&Board::drained), 0);
}

TEST_F(Sockets, FlushingEarlyTellsOfTheEndOfCongestionLater) {
    connect();
    const std::string text = pattern(150'000);
    on([&] {
        auto& stream = *user_.stream;
        stream.set_high_water(100'000);
        stream.output().append(text);
        ASSERT_TRUE(stream.congested());
        stream.flush_now();
        EXPECT_EQ(stream.backlog(), text.size()) << "a small backlog stays";
    });
    EXPECT_EQ(peer_.read(text.size()), text);
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 1; }));
    on([&] {
        auto& stream = *user_.stream;
        stream.output().append(pattern(300'000));
        ASSERT_TRUE(stream.congested());
        stream.flush_now();
        EXPECT_LT(stream.backlog(), 300'000u);
        EXPECT_EQ(board_.look(&Board::drained), 1) << "not on the caller's stack";
    });
    EXPECT_EQ(peer_.read(300'000).size(), 300'000u);
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 2; }));
}

// Else the shard would not see anything of its other connections until a long queue is empty.
TEST_F(Sockets, APeerThatReadsFastIsServedInPortions) {
    size_t left = 0;
    user_.on_drained = [&] {
        if (left != 0) return;
        auto& stream = *user_.stream;
        stream.output().append(pattern(300'000));
        ASSERT_TRUE(stream.congested());
        stream.flush_now();
        left = stream.backlog();
    };
    connect();
    const size_t before = 64'000'000;
    const auto reading = std::async(std::launch::async, [&] { peer_.read(before + 300'000); });
    on([&] {
        auto& stream = *user_.stream;
        stream.set_high_water(100'000);
        for (size_t sent = 0; sent < before; sent += 1'000'000) {
            stream.output().append(pattern(1'000'000));
            ASSERT_TRUE(stream.congested());
            stream.flush_now();
        }
        EXPECT_GT(stream.backlog(), before - 20'000'000);
    });
    reading.wait();
    on([&] { EXPECT_GE(left, 300'000u); });
}

TEST_F(Sockets, CloseWritesEverythingThenEnds) {
    connect(16 * 1024);
    const std::string text = pattern(1'500'000);
    on([&] {
        user_.stream->output().append(text);
        user_.stream->close();
        user_.stream->close();
        EXPECT_EQ(board_.look(&Board::closed), 0);
    });
    EXPECT_EQ(peer_.read_all(), text);
    EXPECT_TRUE(peer_.ended);
    peer_.close();
    EXPECT_TRUE(closed());
}

TEST_F(Sockets, UnreadInputDoesNotCostTheLastPacket) {
    user_.on_read = [this](std::string_view) {
        user_.stream->output().append("goodbye");
        user_.stream->close();
        return size_t{0};
    };
    connect_tcp();
    peer_.write(pattern(500'000));
    EXPECT_EQ(peer_.read_all(), "goodbye");
    EXPECT_TRUE(peer_.ended);
    peer_.close();
    EXPECT_TRUE(closed());
}

TEST_F(Sockets, AbortResetsAndReportsLater) {
    user_.on_read = [this](std::string_view bytes) {
        user_.stream->output().append("never sent");
        user_.stream->abort("on purpose");
        user_.stream->abort("again");
        user_.stream->close();
        EXPECT_EQ(board_.look(&Board::closed), 0);
        return bytes.size();
    };
    connect_tcp();
    peer_.write("x");
    EXPECT_EQ(peer_.read_all(), "");
    EXPECT_EQ(peer_.error, ECONNRESET);
    EXPECT_TRUE(closed());
    EXPECT_EQ(board_.look(&Board::closed_why), "on purpose");
}

TEST_F(Sockets, APeerThatResetsEndsTheStream) {
    connect_tcp();
    on([&] { user_.stream->output().append("unread"); });
    EXPECT_EQ(peer_.read(1), "u");
    peer_.reset();
    EXPECT_TRUE(closed());
    EXPECT_NE(board_.look(&Board::closed_why), "closed by the peer");
}

TEST_F(Sockets, WritingToAPeerThatHasGoneEndsTheStreamOnce) {
    connect(16 * 1024);
    on([&] {
        user_.stream->pause_reading();  // it does not see the end by reading
        user_.stream->output().append(pattern(1'000'000));
    });
    EXPECT_EQ(peer_.read(1000).size(), 1000u);
    peer_.close();
    EXPECT_TRUE(closed());
    for (int i = 0; i < 3; ++i) on([] {});
    EXPECT_EQ(board_.look(&Board::closed), 1);
}

TEST_F(Sockets, MayBeDestroyedInsideItsCallbacks) {
    for (const bool large : {false, true}) {
        std::promise<void> gone;
        user_.on_read = [&](std::string_view bytes) {
            if (large && bytes.size() < 100'000) return size_t{0};
            user_.stream.reset();
            gone.set_value();
            return bytes.size();
        };
        connect();
        peer_.write(pattern(large ? 100'000 : 10));
        gone.get_future().wait();
        on([] {});
        EXPECT_EQ(peer_.read_all(), "");
    }
    user_.on_drained = [&] { user_.stream.reset(); };
    connect(16 * 1024);
    on([&] {
        user_.stream->set_high_water(1000);
        user_.stream->output().append(pattern(500'000));
        ASSERT_TRUE(user_.stream->congested());
    });
    EXPECT_GT(peer_.read_all().size(), 400'000u);
    EXPECT_TRUE(peer_.ended);
    EXPECT_EQ(board_.look(&Board::closed), 0);
}

TEST_F(Sockets, DestroyedWithWorkUnderWayItIsQuiet) {
    connect(16 * 1024);
    on([&] {
        user_.stream->output().append(pattern(500'000));
        user_.stream->pause_reading();
        user_.stream->resume_reading();
        user_.stream->abort("gone");
        user_.stream.reset();
    });
    for (int i = 0; i < 3; ++i) on([] {});
    EXPECT_EQ(board_.look(&Board::closed), 0);
}

TEST_F(Sockets, PausedItReadsNothingAndResumedItGoesOnInOrder) {
    std::promise<void> paused;
    bool holding = true;
    user_.on_read = [&](std::string_view bytes) {
        if (holding) {
            user_.stream->pause_reading();
            board_.note([&](Board& b) { b.received += bytes.substr(0, 3); });
            holding = false;
            paused.set_value();
            return size_t{3};
        }
        board_.note([&](Board& b) { b.received += bytes; });
        return bytes.size();
    };
    connect();
    peer_.write("abcdef");
    paused.get_future().wait();
    peer_.write("ghi");
    for (int i = 0; i < 5; ++i) on([] {});
    EXPECT_EQ(board_.look(&Board::received), "abc");
    on([&] {
        user_.stream->resume_reading();
        user_.stream->pause_reading();
        user_.stream->resume_reading();
        EXPECT_EQ(board_.look(&Board::received), "abc") << "not on the caller's stack";
    });
    EXPECT_TRUE(received("abcdefghi"));
}

TEST_F(Sockets, MovesToAnotherShardWithItsUnreadBytes) {
    connect();
    on([&] {
        user_.on_read = [&](std::string_view bytes) {
            if (bytes.size() < 8) return size_t{0};
            // From here on the user lives on the other shard.
            user_.on_read = nullptr;
            auto& moving = *user_.stream;
            moving.move_to(std::move(user_.stream), pool_[1], bytes.substr(5),
                           [&](std::unique_ptr<ByteStream> arrived) {
                               EXPECT_TRUE(pool_[1].is_current());
                               EXPECT_EQ(&arrived->shard(), &pool_[1]);
                               EXPECT_EQ(arrived->peer().address, "test");
                               user_.take(std::move(arrived));
                               user_.stream->output().append("here");
                           });
            return size_t{5};
        };
    });
    peer_.write("hello, w");
    peer_.write("orld");
    EXPECT_TRUE(received(", world"));
    EXPECT_EQ(peer_.read(4), "here");
    peer_.close();
    EXPECT_TRUE(closed());
}

TEST_F(Sockets, MovedOnBeforeItStartedItKeepsWhatCameAlong) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peer_ = Peer(fds[1]);
    on([&] {
        std::unique_ptr<ByteStream> stream =
            std::make_unique<SocketStream>(pool_[0], Accepted(fds[0], {"test", true}), "early ");
        auto& moving = *stream;
        moving.move_to(std::move(stream), pool_[1], {}, [&](std::unique_ptr<ByteStream> arrived) {
            user_.take(std::move(arrived));
        });
    });
    peer_.write("late");
    EXPECT_TRUE(received("early late"));
    on([&] { user_.stream.reset(); }, 1);
}

// Timeouts and expiry are counted from the shard's clock: it must be right when bytes can be
// written again after a long silence.
TEST_F(Sockets, TheClockIsRightWhenOutputHasDrained) {
    connect(16 * 1024);
    uint64_t seen = 0;
    on([&] {
        user_.on_drained = [&] { seen = pool_[0].now_ms(); };
        user_.stream->set_high_water(1000);
        user_.stream->output().append(pattern(500'000));
        ASSERT_TRUE(user_.stream->congested());
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // the shard has nothing to do
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
    peer_.read(500'000);
    ASSERT_TRUE(board_.wait([](Board& b) { return b.drained == 1; }));
    on([&] { EXPECT_GE(seen, static_cast<uint64_t>(now.count())); });
}

}  // namespace
}  // namespace trestle
