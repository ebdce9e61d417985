// The live tail as its readers come and go, on a loop that the test turns by hand.
#include "server/api/tail.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/subscriber.h"
#include "running_host.h"
#include "server/router.h"

namespace trestle {
namespace {

/// What a peer sees of its stream.
struct Seen {
    size_t writes = 0;
    size_t streams = 0;  // that are open
    std::function<void()> closed;
};

class FakeStream final : public HttpStream {
 public:
    explicit FakeStream(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) { ++seen_->streams; }
    ~FakeStream() override { --seen_->streams; }
    FakeStream(const FakeStream&) = delete;
    bool write(std::string_view) override {
        ++seen_->writes;
        return true;
    }

 private:
    std::shared_ptr<Seen> seen_;
};

class FakeReply final : public HttpReply {
 public:
    explicit FakeReply(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
    void send(HttpResponse response) override { ADD_FAILURE() << response.body; }
    std::unique_ptr<HttpStream> stream(std::string_view, std::function<void()> closed) override {
        seen_->closed = std::move(closed);
        return std::make_unique<FakeStream>(seen_);
    }

 private:
    std::shared_ptr<Seen> seen_;
};

class TailTest : public testing::Test {
 protected:
    std::shared_ptr<Seen> open_one() {
        auto seen = std::make_shared<Seen>();
        HttpRequest request;
        request.method = "GET";
        request.path = "/api/v1/tail";
        request.query = "filter=%23";
        router_.handle(request, std::make_shared<FakeReply>(seen));
        return seen;
    }

    test::RunningHost host_;
    Router router_;
    TailApi tails_{router_, host_};
};

TEST_F(TailTest, AReaderThatEndsTwiceTakesNoOtherAlong) {
    const auto first = open_one();
    ASSERT_EQ(tails_.open(), 1u);
    first->closed();
    first->closed();  // as when a write fails and the peer's end is seen as well
    host_.io().poll_one();
    ASSERT_EQ(tails_.open(), 0u);
    const auto next = open_one();  // perhaps in the same memory
    host_.io().poll();
    EXPECT_EQ(tails_.open(), 1u);
    EXPECT_EQ(first->streams, 0u);
    EXPECT_EQ(next->streams, 1u);
}

// The loop takes up the end and the status that is due in one go: the status finds nobody.
TEST_F(TailTest, AStatusThatIsDueWhenItsReaderEndsIsHarmless) {
    const auto seen = open_one();
    ASSERT_EQ(seen->writes, 1u);
    boost::asio::io_context clock;
    boost::asio::steady_timer due(clock, std::chrono::milliseconds(1010));
    due.wait();
    seen->closed();
    host_.io().poll();
    EXPECT_EQ(tails_.open(), 0u);
    EXPECT_EQ(seen->streams, 0u);
    EXPECT_LE(seen->writes, 2u);
}

/// A tap whose messages nobody takes unless the test does.
struct Tapped {
    explicit Tapped(uint32_t rate, size_t shards = 1) : tap("#", rate, shards, io, [] {}) {}
    void pass(const MessageView& message, uint64_t now_ms = 1000, ShardIndex shard = 0) {
        tap.pass(shard, now_ms, message, from);
    }
    boost::asio::io_context io;
    Publisher from;
    TailTap tap;
};

TEST(TailTap, ShowsAsManyASecondAsItWasAskedForOnAllShardsTogether) {
    constexpr size_t kShards = 4;
    constexpr uint64_t kSeconds = 20;
    MessageView message;
    message.topic = "a/b";
    for (const uint32_t rate : {1u, 10u, 19u, 100u, 1000u}) {
        Tapped tapped(rate, kShards);
        size_t shown = 0;
        for (uint64_t ms = 0; ms < kSeconds * 1000; ++ms) {
            for (ShardIndex shard = 0; shard < kShards; ++shard) {
                tapped.pass(message, 1'000'000 + ms, shard);
            }
            shown += tapped.tap.take().size();
        }
        EXPECT_EQ(shown + tapped.tap.skipped(), kShards * kSeconds * 1000) << rate;
        EXPECT_LE(shown, rate * kSeconds + rate / 10 + 1) << rate;
        EXPECT_GE(shown, rate * kSeconds) << rate;
    }
}

TEST(TailTap, KeepsNoMoreOfAMessageThanIsShown) {
    const std::string payload(100'000, 'x');
    std::string properties;
    for (int i = 0; i < 200'000; ++i) properties.append("\x26\0\0\0\0", 5);
    MessageView message;
    message.topic = "a/b";
    message.payload = payload;
    message.properties = properties;
    Tapped tapped(1000);
    tapped.pass(message);
    const auto items = tapped.tap.take();
    ASSERT_EQ(items.size(), 1u);
    EXPECT_LE(items[0].payload.size(), 2048u);
    EXPECT_LE(items[0].properties.size(), 4096u);
    EXPECT_EQ(items[0].size, payload.size());
    EXPECT_EQ(items[0].properties_size, properties.size());
}

TEST(TailTap, ItsBoxIsBoundedByBytes) {
    const std::string topic(60'000, 'x');
    MessageView message;
    message.topic = topic;
    Tapped tapped(1000);
    for (int i = 0; i < 100; ++i) tapped.pass(message);
    EXPECT_LE(tapped.tap.take().size(), TailTap::kMostWaitingBytes / topic.size() + 1);
    EXPECT_GE(tapped.tap.skipped(), 95u);
    tapped.pass(message, 2000);
    EXPECT_EQ(tapped.tap.take().size(), 1u) << "there is room again";
}

}  // namespace
}  // namespace trestle
