// The service over real sockets: connections on several shards, their end, and what is counted.
#include "mqtt/service.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "../core/fakes.h"
#include "../runtime/fake_stream.h"
#include "bytes.h"
#include "core/session_table.h"
#include "plugin_api/net.h"

namespace trestle::mqtt {
namespace {

using testing::packet;
using testing::str;

/// Two shards; client ids that start with a digit live on that shard.
class TestHost final : public Host {
 public:
    TestHost() {
        std::vector<Shard*> all;
        for (ShardIndex i = 0; i < 2; ++i) {
            shards_.push_back(std::make_unique<Shard>(hub, i));
            all.push_back(shards_.back().get());
        }
        for (auto& one : shards_) one->connect(all);
        for (auto& one : shards_) threads_.emplace_back([&one] { one->run(); });
    }
    void stop() {
        for (auto& one : shards_) one->stop();
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }
    size_t shard_count() const override { return shards_.size(); }
    Shard& shard(size_t index) override { return *shards_[index]; }
    Metrics& metrics() override { return metrics_; }
    Shard& home_of(std::string_view id) override { return *shards_[id.front() == '1' ? 1 : 0]; }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view, EndpointContext&,
                                                      const Settings&) override {
        return nullptr;
    }
    static void run_on(Shard& shard, const std::function<void()>& work) {
        std::promise<void> done;
        shard.post([&] {
            work();
            done.set_value();
        });
        done.get_future().wait();
    }
    Hub hub{2};

 private:
    Metrics metrics_{2};
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::thread> threads_;
};

std::string connect_packet(std::string_view id, bool clean = true) {
    return packet(0x10,
                  str("MQTT") + '\4' + (clean ? '\2' : '\0') + std::string(2, '\0') + str(id));
}

std::string times(size_t count, const std::string& text) {
    std::string all;
    while (count-- != 0) all += text;
    return all;
}

/// A 3.1.1 client of bytes.
class Device {
 public:
    explicit Device(int fd) : fd_(fd) {}
    Device(Device&& other) noexcept : fd_(std::exchange(other.fd_, -1)), sent(other.sent) {}
    ~Device() {
        if (fd_ >= 0) ::close(fd_);
    }
    void write(std::string_view bytes) {
        sent += bytes.size();
        ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    void connect(std::string_view id, bool clean = true) { write(connect_packet(id, clean)); }
    /// Less than `size` at the end of the stream, or when nothing comes for long.
    std::string read(size_t size) {
        std::string all(size, '\0');
        size_t got = 0;
        while (got < size) {
            pollfd wait{fd_, POLLIN, 0};
            if (::poll(&wait, 1, 20'000) <= 0) break;
            const ssize_t n = ::recv(fd_, all.data() + got, size - got, 0);
            if (n <= 0) break;
            got += static_cast<size_t>(n);
        }
        all.resize(got);
        return all;
    }

 private:
    int fd_;

 public:
    size_t sent = 0;
};

class ServiceTest : public ::testing::Test {
 protected:
    using Options = std::initializer_list<std::pair<const char*, int64_t>>;
    explicit ServiceTest(Options options = {})
        : context_(host_, 1, "devices", host_.shard(0), Log()) {
        Settings settings = Settings::defaults(protocol_options());
        for (const auto& [name, value] : options) settings.set(name, value, true);
        service_ = std::make_unique<Service>(context_, settings);
    }
    ~ServiceTest() override {
        stop(5'000);
        for (size_t i = 0; i < 2; ++i) {
            TestHost::run_on(host_.shard(i), [&] {
                host_.shard(i).hub().sessions().end_all(DropReason::shutdown);
            });
        }
        host_.hub.set_routes({});
        host_.stop();
        service_.reset();
        EXPECT_EQ(host_.hub.subscriptions(), 0u);
    }
    Device open() {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        TestHost::run_on(host_.shard(0), [&] {
            service_->serve(make_socket_stream(host_.shard(0), Accepted(fds[0], {"test", true})));
        });
        return Device(fds[1]);
    }
    void stop(uint64_t within_ms) {
        if (std::exchange(stopped_, true)) return;
        std::promise<void> done;
        TestHost::run_on(host_.shard(0), [&] {
            service_->stop(host_.shard(0).now_ms() + within_ms, [&] { done.set_value(); });
        });
        done.get_future().wait();
    }

    TestHost host_;
    EndpointContext context_;
    std::unique_ptr<Service> service_;
    bool stopped_ = false;
};

const std::string kConnack("\x20\x02\x00\x00", 4);
const std::string kConnackPresent("\x20\x02\x01\x00", 4);

TEST_F(ServiceTest, EveryByteIsCountedOnceWhereverTheSessionLives) {
    Device near = open();
    near.connect("0-near");
    EXPECT_EQ(near.read(4), kConnack);
    Device far = open();
    far.connect("1-far");  // moves to the other shard, with what follows
    far.write("\xc0");
    far.write(std::string_view("\0", 1));
    EXPECT_EQ(far.read(4), kConnack);
    EXPECT_EQ(far.read(2), std::string("\xd0\0", 2));
    std::string both = packet(0x10, str("MQTT") + "\4\2" + std::string(2, '\0') + str("1-more"));
    both += std::string("\xc0\0", 2);
    Device more = open();
    more.write(both);
    EXPECT_EQ(more.read(6), kConnack + std::string("\xd0\0", 2));
    EXPECT_EQ(service_->counters().bytes_received->value(), near.sent + far.sent + more.sent);
}

TEST_F(ServiceTest, StoppingSaysGoodbyeToAll) {
    Device near = open();
    Device far = open();
    near.connect("0");
    far.connect("1");
    EXPECT_EQ(near.read(4), kConnack);
    EXPECT_EQ(far.read(4), kConnack);
    std::thread readers([&] {
        for (auto* one : {&near, &far}) {
            EXPECT_EQ(one->read(1), "") << "3.1.1 has no DISCONNECT from the server";
            const Device closed = std::move(*one);
        }
    });
    stop(60'000);
    readers.join();
}

TEST_F(ServiceTest, WhoDoesNotCloseIsCutAtTheDeadline) {
    Device stays = open();
    stays.connect("1");
    EXPECT_EQ(stays.read(4), kConnack);
    const auto before = std::chrono::steady_clock::now();
    stop(50);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(900));
}

// In 3.1.1 a message that no route can take costs the connection, so that the client sends it
// again. At QoS 2 it must not pass for one that was published already.
TEST_F(ServiceTest, ARefusedQosTwoMessageIsNewWhenItIsSentAgain) {
    test::RouteBooks books;
    test::FakeRouteSink sink;
    sink.work = [](Delivery& delivery) { delivery.worsen(Outcome::queue_full); };
    host_.hub.set_routes({test::make_route("jobs", "a/{x}", "k.{x}", 2, sink, books)});
    const std::string body = str("a/1") + std::string("\0\7", 2) + "job";
    {
        Device device = open();
        device.connect("0-device", false);
        EXPECT_EQ(device.read(4), kConnack);
        device.write(packet(0x34, body));
        EXPECT_EQ(device.read(1), "") << "no PUBREC";
    }
    TestHost::run_on(host_.shard(0), [&] { sink.work = nullptr; });
    Device device = open();
    device.connect("0-device", false);
    EXPECT_EQ(device.read(4), kConnackPresent);
    device.write(packet(0x3c, body));
    EXPECT_EQ(device.read(4), std::string("\x50\x02\0\7", 4));
    EXPECT_EQ(sink.got.size(), 2u);
    device.write(packet(0x3c, body));  // now it is known
    EXPECT_EQ(device.read(4), std::string("\x50\x02\0\7", 4));
    EXPECT_EQ(sink.got.size(), 2u);
}

/// One whose stream has no socket.
class WithFakeClient : public ServiceTest {
 protected:
    explicit WithFakeClient(Options options = {}) : ServiceTest(options) {}
    ~WithFakeClient() override {
        if (fake_ == nullptr) return;
        TestHost::run_on(host_.shard(0), [&] { (*fake_)->peer_closes(); });
        EXPECT_TRUE(board_.wait([](test::Board& b) { return b.destroyed == 1; }));
    }
    void connect_fake(std::string_view id) {
        TestHost::run_on(host_.shard(0), [&] {
            auto stream = std::make_unique<test::FakeStream>(host_.shard(0), board_);
            fake_ = stream->life();
            service_->serve(std::move(stream));
        });
        feed(connect_packet(id));
        EXPECT_TRUE(board_.wait([](test::Board& b) { return b.written == kConnack; }));
    }
    void feed(const std::string& bytes) {
        TestHost::run_on(host_.shard(0), [&] { (*fake_)->feed(bytes); });
    }
    test::Board board_;
    std::shared_ptr<test::FakeStream*> fake_;
};

class WithSmallLimits : public WithFakeClient {
 protected:
    WithSmallLimits() : WithFakeClient({{"max_inflight", 1}, {"max_write_buffer", 4096}}) {
        sink_.work = [&](Delivery& delivery) {
            waiting_ = delivery.defer();
            arrived_.set_value();
        };
        host_.hub.set_routes({test::make_route("jobs", "a/{x}", "k.{x}", 2, sink_, books_)});
    }
    /// The job that has arrived is done, and its publisher has heard of it.
    void finish() {
        TestHost::run_on(host_.shard(0), [&] { waiting_.settle(Outcome::accepted); });
        TestHost::run_on(host_.shard(0), [] {});
    }
    /// A client that takes none of the answers.
    void connect_deaf() {
        connect_fake("0-deaf");
        TestHost::run_on(host_.shard(0), [&] { (*fake_)->block_writes(); });
    }
    size_t backlog() {
        size_t bytes = 0;
        TestHost::run_on(host_.shard(0), [&] { bytes = (*fake_)->backlog(); });
        return bytes;
    }
    /// The shard goes on until so much waits to be written.
    bool backlog_grows_to(size_t bytes) {
        for (int turns = 0; turns < 10'000 && backlog() != bytes; ++turns)
            std::this_thread::yield();
        return backlog() == bytes;
    }
    bool written(const std::string& all) {
        TestHost::run_on(host_.shard(0), [&] { (*fake_)->unblock_writes(); });
        return board_.wait([&](test::Board& b) { return b.written == all; });
    }
    test::RouteBooks books_;
    test::FakeRouteSink sink_;
    Ack waiting_;
    std::promise<void> arrived_;
};

const std::string kJob = str("a/1") + std::string("\0\7", 2) + "job";
const std::string kJobAcknowledged("\x40\x02\0\7", 4);
const std::string kPing("\xc0\0", 2);
const std::string kPong("\xd0\0", 2);

TEST_F(WithFakeClient, ALargeReadIsWorkedOffInTurns) {
    constexpr size_t kPings = 250'000;
    connect_fake("0-busy");
    size_t answered = 0;
    TestHost::run_on(host_.shard(0), [&] {
        (*fake_)->feed(times(kPings, kPing));
        answered = (*fake_)->backlog() / kPong.size();
    });
    EXPECT_LT(answered, kPings / 2);
    EXPECT_TRUE(
        board_.wait([](test::Board& b) { return b.written == kConnack + times(kPings, kPong); }));
}

/// Packets of many filters, with one more packet behind them.
class WithManyFilters : public WithFakeClient {
 protected:
    static constexpr size_t kFilters = 20'000;
    WithManyFilters() { connect_fake("0-many"); }
    static std::string many(bool subscribes) {
        std::string body("\0\7", 2);
        for (size_t i = 0; i < kFilters; ++i) {
            body += str("many/" + std::to_string(i));
            if (subscribes) body += '\0';
        }
        return packet(subscribes ? 0x82 : 0xa2, body) + kPing;
    }
    /// Gives all of it at once; how many subscriptions there are before anybody else has a turn.
    size_t after(
        const std::string& bytes, const std::function<void()>& then = [] {}) {
        size_t subscriptions = 0;
        TestHost::run_on(host_.shard(0), [&] {
            (*fake_)->feed(bytes);
            EXPECT_EQ((*fake_)->backlog(), 0u) << "nothing is answered yet";
            subscriptions = host_.hub.subscriptions();
            then();
        });
        return subscriptions;
    }
    const std::string all_granted_ =
        kConnack + packet(0x90, std::string("\0\7", 2) + std::string(kFilters, '\0')) + kPong;
};

TEST_F(WithManyFilters, AreWorkedOffInTurnsAndAnsweredWhenAllAreDone) {
    EXPECT_LT(after(many(true)), kFilters / 2);
    EXPECT_TRUE(board_.wait([&](test::Board& b) { return b.written == all_granted_; }));
    EXPECT_EQ(host_.hub.subscriptions(), kFilters);
    EXPECT_GT(after(many(false)), kFilters / 2);
    const std::string all = all_granted_ + std::string("\xb0\2\0\7", 4) + kPong;
    EXPECT_TRUE(board_.wait([&](test::Board& b) { return b.written == all; }));
    EXPECT_EQ(host_.hub.subscriptions(), 0u);
    EXPECT_EQ(service_->packets().received->value(), 5u);
    EXPECT_EQ(service_->counters().bytes_received->value(),
              connect_packet("0-many").size() + many(true).size() + many(false).size());
}

TEST_F(WithManyFilters, OfAClientThatGoesTheRestIsForgotten) {
    EXPECT_LT(after(many(true), [&] { (*fake_)->peer_closes(); }), kFilters);
    EXPECT_TRUE(board_.wait([](test::Board& b) { return b.destroyed == 1; }));
    fake_.reset();
    EXPECT_EQ(host_.hub.subscriptions(), 0u);
}

TEST_F(WithManyFilters, OfAClientThatIsTakenOverTheRestIsForgotten) {
    test::Board board;
    EXPECT_LT(after(many(true),
                    [&] {
                        auto stream = std::make_unique<test::FakeStream>(host_.shard(0), board);
                        auto& other = *stream;
                        service_->serve(std::move(stream));
                        other.feed(connect_packet("0-many") + kPing);
                    }),
              kFilters);
    EXPECT_TRUE(board.wait([](test::Board& b) { return b.written == kConnack + kPong; }));
    EXPECT_TRUE(board_.wait([](test::Board& b) { return b.destroyed == 1; }));
    fake_.reset();
    EXPECT_EQ(host_.hub.subscriptions(), 0u);
    EXPECT_EQ(board_.look(&test::Board::written), kConnack);
    stop(5'000);
    EXPECT_EQ(board.look(&test::Board::destroyed), 1);
}

TEST_F(WithManyFilters, AStopDoesNotWaitForTheRest) {
    EXPECT_LT(after(many(true), [&] { service_->stop(host_.shard(0).now_ms() + 60'000, [] {}); }),
              kFilters);
    stopped_ = true;
    EXPECT_TRUE(board_.wait([](test::Board& b) { return b.destroyed == 1; }));
    fake_.reset();
    EXPECT_EQ(board_.look(&test::Board::written), kConnack);
}

TEST_F(WithSmallLimits, AnAnswerThatIsKnownWhenItsMessageComesAgainHoldsNothingUp) {
    Device before = open();
    before.connect("0-device", false);
    EXPECT_EQ(before.read(4), kConnack);
    before.write(packet(0x32, kJob));
    arrived_.get_future().wait();
    Device device = open();
    device.connect("0-device", false);
    EXPECT_EQ(device.read(4), kConnackPresent);
    finish();
    device.write(packet(0x3a, kJob) + kPing);
    EXPECT_EQ(device.read(6), kJobAcknowledged + kPong);
}

TEST_F(WithSmallLimits, NothingMoreIsReadFromOneThatDoesNotTakeItsAnswers) {
    connect_deaf();
    feed(times(4'200, kPing));
    feed(times(10'000, kPing));
    EXPECT_EQ(backlog(), 8'400u);
    EXPECT_TRUE(written(kConnack + times(14'200, kPong)));
}

// The rest of the window's hold and that of the full buffer follow each other.
TEST_F(WithSmallLimits, AHoldEndsWithItsAnswerAlsoForOneThatDoesNotTakeIt) {
    connect_deaf();
    feed(times(4'200, kPing) + packet(0x32, kJob) + kPing);
    feed(kPing);
    finish();
    EXPECT_TRUE(backlog_grows_to(8'400 + 4 + 4));
    feed(kPing);
    EXPECT_EQ(backlog(), 8'400u + 4 + 4);
    EXPECT_TRUE(written(kConnack + times(4'200, kPong) + kJobAcknowledged + times(3, kPong)));
}

}  // namespace
}  // namespace trestle::mqtt
