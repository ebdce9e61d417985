// A stream on one shard, used from another: nothing is lost, doubled or reordered, both directions
// are bounded, and either side may go first.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>

#include "../core/fakes.h"
#include "fake_stream.h"
#include "runtime/shard_pool.h"

namespace trestle {
namespace {

using test::Board;
using test::FakeStream;

/// The far side's user. Consumes whole units only, like a codec.
class Client final : public ByteStreamHandler {
 public:
    explicit Client(Board& board) : board_(board) {}

    size_t on_bytes(std::string_view bytes) override {
        const size_t used = std::min(most, bytes.size() - bytes.size() % unit);
        board_.note([&](Board& b) { b.received += bytes.substr(0, used); });
        if (echo) stream->output().append(bytes.substr(0, used));
        if (on_read) on_read();
        return used;
    }
    void on_output_drained() override {
        board_.note([](Board& b) { ++b.drained; });
    }
    void on_closed(std::string_view why) override {
        stream.reset();
        board_.note([&](Board& b) {
            ++b.closed;
            b.closed_why = why;
        });
    }

    std::unique_ptr<ByteStream> stream;
    std::function<void()> on_read;
    size_t unit = 1;
    size_t most = SIZE_MAX;  // at once
    bool echo = false;

 private:
    Board& board_;
};

/// Reads a greeting of five bytes, then moves the stream on.
class Greeter final : public ByteStreamHandler {
 public:
    size_t on_bytes(std::string_view bytes) override {
        if (bytes.size() < 5) return 0;
        auto& moving = *stream;
        moving.move_to(std::move(stream), *target, bytes.substr(5), std::move(arrived));
        return 5;
    }
    void on_closed(std::string_view) override { ADD_FAILURE() << "the stream had moved on"; }

    std::unique_ptr<ByteStream> stream;
    Shard* target = nullptr;
    std::function<void(std::unique_ptr<ByteStream>)> arrived;
};

class RemoteStream : public testing::Test {
 protected:
    RemoteStream() : hub_(3), pool_(hub_, 3), near_(pool_[0]), here_(pool_[1]) { pool_.start(); }
    ~RemoteStream() override {
        on_here([&] { client_.stream.reset(); });
        EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
        EXPECT_TRUE(board_.destroyed_at_home);
        pool_.stop();
    }

    void on_near(const std::function<void()>& work) { ShardPool::run_on(near_, work); }
    void on_here(const std::function<void()>& work) { ShardPool::run_on(here_, work); }

    /// Puts the stand-in into the client's hands and starts it.
    void connect(std::string_view unread = {}) {
        on_near([&] {
            auto stream = std::make_unique<FakeStream>(near_, board_);
            fake_ = stream->life();
            make_remote_stream(std::move(stream), unread, here_, arrival());
        });
        wait_for_arrival();
    }
    std::function<void(std::unique_ptr<ByteStream>)> arrival() {
        return [this](std::unique_ptr<ByteStream> stream) {
            client_.stream = std::move(stream);
            client_.stream->start(client_);
            board_.note([&](Board&) { arrived_ = true; });
        };
    }
    void wait_for_arrival() {
        ASSERT_TRUE(board_.wait([&](Board&) { return arrived_; }));
    }
    void feed(std::string_view bytes) {
        on_near([&] {
            if (*fake_ != nullptr) (*fake_)->feed(bytes);
        });
    }
    bool received(const std::string& all) {
        return board_.wait([&](Board& b) { return b.received == all; });
    }
    static std::string pattern(size_t size) {
        std::string text(size, ' ');
        for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
        return text;
    }

    Board board_;
    Hub hub_;
    ShardPool pool_;
    Shard& near_;
    Shard& here_;
    Client client_{board_};
    std::shared_ptr<FakeStream*> fake_;
    bool arrived_ = false;
};

TEST_F(RemoteStream, CarriesBothWaysInOrderWhateverTheUnits) {
    client_.unit = 7;
    client_.echo = true;
    connect();
    const std::string all = pattern(7 * 40'000);
    for (size_t at = 0, size = 1; at < all.size(); at += size, size = size * 3 % 4099) {
        feed(std::string_view(all).substr(at, size));
    }
    EXPECT_TRUE(received(all));
    EXPECT_TRUE(board_.wait([&](Board& b) { return b.written == all; }));
}

TEST_F(RemoteStream, BringsWhatTheFirstHandlerLeftUnread) {
    Greeter greeter;
    greeter.target = &here_;
    greeter.arrived = arrival();
    on_near([&] {
        auto stream = std::make_unique<FakeStream>(near_, board_);
        fake_ = stream->life();
        greeter.stream = std::move(stream);
        greeter.stream->start(greeter);
        (*fake_)->feed("HEL");
        (*fake_)->feed("LOabc");
        (*fake_)->feed("def");
    });
    wait_for_arrival();
    feed("ghi");
    EXPECT_TRUE(received("abcdefghi"));
}

TEST_F(RemoteStream, MovesOnToAThirdShard) {
    Greeter greeter;
    Board unused;
    on_near([&] {
        auto stream = std::make_unique<FakeStream>(near_, board_);
        fake_ = stream->life();
        make_remote_stream(std::move(stream), "HE", pool_[2],
                           [&](std::unique_ptr<ByteStream> arrived) {
                               greeter.target = &here_;
                               greeter.arrived = arrival();
                               greeter.stream = std::move(arrived);
                               greeter.stream->start(greeter);
                           });
    });
    feed("LLOabc");
    wait_for_arrival();
    feed("def");
    EXPECT_TRUE(received("abcdef"));
    on_here([&] { client_.stream->output().append("xyz"); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.written == "xyz"; }));
    on_here([&] { client_.stream->close(); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
}

TEST_F(RemoteStream, StopsReadingWhileTheFarSidePauses) {
    connect();
    on_here([&] { client_.stream->pause_reading(); });
    const std::string all = pattern(1'000'000);
    for (size_t at = 0; at < all.size(); at += 50'000) {
        feed(std::string_view(all).substr(at, 50'000));
    }
    EXPECT_TRUE(board_.wait([](Board& b) { return b.pauses == 1; }));
    on_here([&] { EXPECT_EQ(board_.received, ""); });
    on_here([&] { client_.stream->resume_reading(); });
    EXPECT_TRUE(received(all));
    EXPECT_TRUE(board_.wait([](Board& b) { return b.resumes == b.pauses; }));
}

// As MQTT does with a client that may send no more for now: packets stay unread, and nothing more
// comes from the peer, which waits for the answers.
TEST_F(RemoteStream, GivesWhatAPausingHandlerLeftOverWhenItGoesOn) {
    client_.most = 3;
    client_.on_read = [&] { client_.stream->pause_reading(); };
    connect();
    feed("abcdefgh");
    EXPECT_TRUE(received("abc"));
    on_near([&] { (*fake_)->peer_closes(); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
    on_near([] {});
    on_here([&] { EXPECT_EQ(board_.closed, 0) << "there is more to read before the end"; });
    on_here([&] { client_.stream->resume_reading(); });
    EXPECT_TRUE(received("abcdef"));
    on_here([&] { client_.stream->resume_reading(); });
    EXPECT_TRUE(received("abcdefgh"));
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
}

// What its handler publishes would go to another shard that is far behind already.
TEST_F(RemoteStream, WaitsWhileItsShardIsCongested) {
    connect();
    test::FakeSubscriber subscriber;
    Shard& slow = pool_[2];
    ShardPool::run_on(slow, [&] { slow.hub().subscribe(subscriber, "t", {}); });
    std::promise<void> let_go;
    slow.post([blocked = let_go.get_future().share()] { blocked.wait(); });
    const std::string payload(1'000'000, 'x');
    Publisher publisher;
    bool congested = false;
    for (int i = 0; i < 40 && !congested; ++i) {
        on_here([&] { here_.hub().publish(test::message("t", payload), publisher); });
        on_here([&] { congested = here_.congested(); });
    }
    EXPECT_TRUE(congested);
    feed("abc");
    on_near([] {});
    on_here([] {});
    feed("def");
    on_near([] {});
    on_here([&] { EXPECT_EQ(board_.received, ""); });
    let_go.set_value();
    EXPECT_TRUE(received("abcdef"));
    ShardPool::run_on(slow, [&] { slow.hub().unsubscribe(subscriber, "t"); });
}

TEST_F(RemoteStream, PassesAPacketThatIsLargerThanTheWindow) {
    client_.unit = 3'000'000;
    connect();
    const std::string all = pattern(client_.unit);
    for (size_t at = 0; at < all.size(); at += 100'000) {
        feed(std::string_view(all).substr(at, 100'000));
    }
    EXPECT_TRUE(received(all));
}

TEST_F(RemoteStream, IsCongestedWhileTheRealStreamIs) {
    connect();
    on_near([&] { (*fake_)->block_writes(); });
    constexpr size_t kHighWater = 100'000;
    on_here([&] { client_.stream->set_high_water(kHighWater); });
    const std::string all = pattern(2'000'000);
    size_t sent = 0;
    bool congested = false;
    while (!congested && sent < all.size()) {
        on_here([&] {
            client_.stream->output().append(std::string_view(all).substr(sent, 10'000));
            sent += 10'000;
            congested = client_.stream->congested();
        });
        on_near([] {});  // what was acknowledged comes back
    }
    EXPECT_TRUE(congested);
    EXPECT_LE(sent, 3 * kHighWater);  // both sides' high water and a turn
    EXPECT_EQ(board_.drained, 0);
    on_near([&] { (*fake_)->unblock_writes(); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 1; }));
    EXPECT_TRUE(board_.wait([&](Board& b) { return b.written == all.substr(0, sent); }));
    // The last acknowledgements are on their way.
    size_t backlog = 1;
    for (int turn = 0; turn < 10'000 && backlog != 0; ++turn) {
        on_near([] {});
        on_here([&] { backlog = client_.stream->backlog(); });
    }
    EXPECT_EQ(backlog, 0u);
}

TEST_F(RemoteStream, CloseWritesWhatWaitsFirst) {
    connect();
    on_here([&] {
        client_.stream->output().append("goodbye");
        client_.stream->close();
        client_.stream->close();
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
    EXPECT_EQ(board_.written, "goodbye");
    EXPECT_EQ(board_.closed_why, "closed");
}

TEST_F(RemoteStream, AbortDropsWhatWaits) {
    connect();
    on_near([&] { (*fake_)->block_writes(); });
    on_here([&] {
        client_.stream->output().append("never seen");
        client_.stream->abort("enough");
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
    EXPECT_EQ(board_.written, "");
    EXPECT_EQ(board_.closed_why, "enough");
}

TEST_F(RemoteStream, LastBytesComeBeforeTheEnd) {
    connect();
    on_here([&] { client_.stream->pause_reading(); });
    on_near([&] {
        (*fake_)->feed("last words");
        (*fake_)->peer_closes();
    });
    on_near([] {});
    on_here([&] { EXPECT_EQ(board_.closed, 0); });
    on_here([&] { client_.stream->resume_reading(); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
    EXPECT_EQ(board_.received, "last words");
    EXPECT_EQ(board_.closed_why, "closed by the peer");
}

// The end waits behind bytes that the paused handler has not seen. When it does not want them any
// more, nothing else would bring the end.
TEST_F(RemoteStream, EndsWhenItIsGivenUpAfterThePeerHasGone) {
    for (const bool abort : {false, true}) {
        connect();
        on_here([&] { client_.stream->pause_reading(); });
        on_near([&] {
            (*fake_)->feed("never read");
            (*fake_)->peer_closes();
        });
        EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
        on_here([&] {
            EXPECT_EQ(board_.closed, 0);
            abort ? client_.stream->abort("enough") : client_.stream->close();
        });
        ASSERT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
        EXPECT_EQ(board_.received, "");
        board_.note([](Board& b) { b.closed = b.destroyed = 0; });
        arrived_ = false;
    }
    board_.note([](Board& b) { b.destroyed = 1; });
}

// It waits for the output to drain, which will not happen any more.
TEST_F(RemoteStream, EndsAtOnceWhenThePeerHasGoneWithoutReading) {
    connect();
    on_near([&] { (*fake_)->block_writes(); });
    on_here([&] {
        client_.stream->set_high_water(10'000);
        client_.stream->output().append(std::string(20'000, 'x'));
        EXPECT_TRUE(client_.stream->congested());
        client_.stream->pause_reading();
    });
    on_near([&] {
        (*fake_)->feed("never read");
        (*fake_)->peer_closes();
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
    EXPECT_EQ(board_.received, "");
}

TEST_F(RemoteStream, EndsOnceWhenBothSidesClose) {
    for (int round = 0; round < 200; ++round) {
        connect();
        near_.post([life = fake_] {
            if (*life == nullptr) return;
            (*life)->feed("x");
            (*life)->peer_closes();
        });
        here_.post([this] {
            if (!client_.stream) return;
            client_.stream->output().append("y");
            client_.stream->close();
        });
        ASSERT_TRUE(board_.wait([&](Board& b) { return b.closed == 1 && b.destroyed == 1; }));
        on_here([] {});
        ASSERT_EQ(board_.closed, 1);
        board_.note([&](Board& b) { b.closed = b.destroyed = 0; });
        arrived_ = false;
    }
    board_.note([](Board& b) { b.destroyed = 1; });
}

TEST_F(RemoteStream, MayBeDestroyedMidFlight) {
    for (int round = 0; round < 200; ++round) {
        connect();
        for (int i = 0; i < 20; ++i) {
            near_.post([life = fake_] {
                if (*life != nullptr) (*life)->feed(std::string(10'000, 'x'));
            });
            here_.post([this] {
                if (client_.stream) client_.stream->output().append("y");
            });
        }
        here_.post([this] { client_.stream.reset(); });
        ASSERT_TRUE(board_.wait([&](Board& b) { return b.destroyed == 1; }));
        ASSERT_TRUE(board_.destroyed_at_home);
        ASSERT_EQ(board_.closed, 0);
        on_here([] {});
        board_.note([&](Board& b) { b.destroyed = 0; });
        arrived_ = false;
    }
    board_.note([](Board& b) { b.destroyed = 1; });
}

TEST_F(RemoteStream, MayBeDroppedOnArrival) {
    on_near([&] {
        auto stream = std::make_unique<FakeStream>(near_, board_);
        fake_ = stream->life();
        make_remote_stream(std::move(stream), "abc", here_,
                           [](std::unique_ptr<ByteStream> arrived) { arrived.reset(); });
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
}

}  // namespace
}  // namespace trestle
