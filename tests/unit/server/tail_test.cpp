// The live tail as its readers come and go, on a loop that the test turns by hand.
#include "server/api/tail.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "fake_host.h"
#include "server/gateway.h"
#include "server/plugin_loader.h"
#include "server/router.h"

namespace trestle {
namespace {

class RunningHost final : public test::FakeHost {
 public:
    Gateway* gateway() override { return &gateway_; }

 private:
    PluginLoader plugins_{"."};
    Gateway gateway_{config_, plugins_, log_, metrics_};
};

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

    RunningHost host_;
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

}  // namespace
}  // namespace trestle
