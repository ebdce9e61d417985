// Answers that come later, and answers that go on.
#include <atomic>

#include "http_fixture.h"

namespace trestle {
namespace {

class HttpStreamTest : public HttpServerTest {
 protected:
    /// Paths: /later keeps its reply, /lost drops it, /stream keeps its stream.
    void begin(HttpLimits limits = {}) {
        router_.exact("GET", "/later",
                      [this](const HttpRequest&, const HttpReplyPtr& reply) { kept_ = reply; });
        router_.exact("GET", "/lost", [](const HttpRequest&, const HttpReplyPtr&) {});
        router_.exact("GET", "/stream", [this](const HttpRequest&, const HttpReplyPtr& reply) {
            stream_ = reply->stream("text/event-stream", [this] { closed_ = true; });
        });
        start(limits);
    }
    void TearDown() override {
        if (thread_.joinable()) {
            on_loop([this] {
                kept_.reset();
                stream_.reset();
            });
        }
        HttpServerTest::TearDown();
    }

    HttpReplyPtr kept_;
    std::unique_ptr<HttpStream> stream_;
    std::atomic<bool> closed_{false};
};

TEST_F(HttpStreamTest, AnAnswerMayComeLater) {
    begin();
    Peer peer(port_);
    peer.send(get("/later"));
    ASSERT_TRUE(eventually([this] { return on_loop([this] { return kept_ != nullptr; }); }));
    EXPECT_EQ(busy_connections(), 1u) << "not idle: it is not closed to make room";
    on_loop([this] {
        kept_->send(HttpResponse::text(200, "at last"));
        kept_->send(HttpResponse::text(500, "a second answer is none"));
    });
    EXPECT_NE(peer.answer().find("at last"), std::string::npos);
    peer.send(get("/hello"));
    EXPECT_NE(peer.answer().find("hi"), std::string::npos) << "the connection goes on";
}

TEST_F(HttpStreamTest, AnAnswerThatIsLostBecomesAnError) {
    begin();
    EXPECT_NE(ask(get("/lost")).find("HTTP/1.1 500"), std::string::npos);
}

TEST_F(HttpStreamTest, AnAnswerAfterThePeerHasGoneIsHarmless) {
    begin();
    {
        Peer peer(port_);
        peer.send(get("/later"));
        ASSERT_TRUE(eventually([this] { return on_loop([this] { return kept_ != nullptr; }); }));
    }
    on_loop([this] { kept_->send(HttpResponse::text(200, "hello?")); });
    EXPECT_TRUE(eventually([this] { return connections() == 0; }));
}

TEST_F(HttpStreamTest, GoesOnUntilItIsClosed) {
    begin();
    Peer peer(port_);
    peer.send(get("/stream"));
    ASSERT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
    on_loop([this] { EXPECT_TRUE(stream_->write("one ")); });
    on_loop([this] {
        EXPECT_TRUE(stream_->write("two"));
        stream_.reset();
    });
    const std::string all = peer.all();
    EXPECT_NE(all.find("Content-Type: text/event-stream"), std::string::npos);
    EXPECT_EQ(all.find("Content-Length"), std::string::npos);
    EXPECT_TRUE(all.ends_with("one two")) << all;
    EXPECT_FALSE(closed_) << "it was not the peer who closed";
}

TEST_F(HttpStreamTest, TellsWhenThePeerGoes) {
    begin();
    {
        Peer peer(port_);
        peer.send(get("/stream"));
        ASSERT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
    }
    EXPECT_TRUE(eventually([this] { return closed_.load(); }));
    on_loop([this] { EXPECT_FALSE(stream_->write("too late")); });
    EXPECT_EQ(connections(), 0u);
}

TEST_F(HttpStreamTest, DropsAPeerThatDoesNotRead) {
    HttpLimits limits;
    limits.max_stream_backlog = 64 * 1024;
    begin(limits);
    const Peer peer(port_);
    const_cast<Peer&>(peer).send(get("/stream"));
    ASSERT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
    const std::string piece(16 * 1024, 'x');
    EXPECT_TRUE(eventually([&] { return on_loop([&] { return !stream_->write(piece); }); }));
    EXPECT_TRUE(eventually([this] { return closed_.load() && connections() == 0; }));
}

TEST_F(HttpStreamTest, OneLargeWriteIsNoBacklog) {
    HttpLimits limits;
    limits.max_stream_backlog = 64 * 1024;
    begin(limits);
    Peer peer(port_);
    peer.send(get("/stream"));
    ASSERT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
    on_loop([this] {
        EXPECT_TRUE(stream_->write(std::string(kLarge, 'x')));
        stream_.reset();
    });
    EXPECT_GT(peer.all().size(), kLarge);
}

TEST_F(HttpStreamTest, AreBounded) {
    HttpLimits limits;
    limits.max_streams = 1;
    begin(limits);
    Peer first(port_);
    first.send(get("/stream"));
    ASSERT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
    auto kept = on_loop([this] { return std::move(stream_); });
    EXPECT_NE(ask(get("/stream")).find("HTTP/1.1 503"), std::string::npos);
    on_loop([&kept] { kept.reset(); });
    first.all();
    ASSERT_TRUE(eventually([this] { return connections() == 0; }));
    Peer next(port_);
    next.send(get("/stream"));
    EXPECT_TRUE(eventually([this] { return on_loop([this] { return stream_ != nullptr; }); }));
}

}  // namespace
}  // namespace trestle
