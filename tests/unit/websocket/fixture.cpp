#include "fixture.h"

#include <charconv>

namespace trestle::test {

class EchoProtocol::Echo final : public ByteStreamHandler {
 public:
    Echo(EchoProtocol& owner, std::unique_ptr<ByteStream> stream)
        : stream_(std::move(stream)), owner_(owner) {}

    void start() { stream_->start(*this); }
    void close() { stream_->close(); }

    size_t on_bytes(std::string_view bytes) override {
        // An order is a line of its own; the rest of what came with it is left for later.
        if (!bytes.starts_with('!')) {
            note(bytes);
            stream_->output().append(bytes);
            return bytes.size();
        }
        const size_t end = bytes.find('\n');
        if (end == bytes.npos) return 0;
        obey(bytes.substr(1, end - 1), bytes.substr(end + 1));
        return end + 1;
    }
    void on_output_drained() override {
        owner_.seen_.note([](Seen& s) { ++s.drained; });
    }
    void on_closed(std::string_view why) override {
        auto& owner = owner_;
        const std::string text(why);
        forget();  // and with it this
        owner.seen_.note([&](Seen& s) { s.closed.push_back(text); });
    }

 private:
    void note(std::string_view bytes) {
        owner_.seen_.note([&](Seen& s) { s.bytes += bytes; });
    }
    void forget() {
        auto& mine = owner_.streams_[Shard::current()->index()];
        for (auto it = mine.begin(); it != mine.end(); ++it) {
            if (it->get() != this) continue;
            mine.erase(it);
            return;
        }
    }
    void obey(std::string_view order, std::string_view rest) {
        size_t number = 0;
        const size_t space = order.find(' ');
        if (space != order.npos) {
            std::from_chars(order.data() + space + 1, order.data() + order.size(), number);
        }
        if (order == "close") {
            stream_->output().append("bye");
            stream_->close();
        } else if (order == "abort") {
            stream_->output().append("never sent");
            stream_->abort("ordered to");
        } else if (order == "twice") {
            stream_->output().append("one ");
            stream_->output().append("two");
        } else if (order.starts_with("send ")) {
            stream_->output().append(std::string(number, 's'));
        } else if (order.starts_with("move ")) {
            auto& moving = *stream_;
            moving.move_to(std::move(stream_), owner_.pool_[number], rest,
                           [&owner = owner_](std::unique_ptr<ByteStream> stream) {
                               owner.take(std::move(stream));
                           });
            owner_.pool_[Shard::current()->index()].post([this] { forget(); });
        }
    }

    std::unique_ptr<ByteStream> stream_;
    EchoProtocol& owner_;
};

EchoProtocol::EchoProtocol(ShardPool& pool, Seen& seen)
    : pool_(pool), seen_(seen), streams_(pool.size()) {}

EchoProtocol::~EchoProtocol() = default;

void EchoProtocol::serve(std::unique_ptr<ByteStream> stream) {
    seen_.note([&](Seen& s) {
        s.shards.push_back(stream->shard().index());
        s.subjects += stream->peer().address + (stream->peer().loopback ? " loopback\n" : "\n");
    });
    take(std::move(stream));
}

void EchoProtocol::take(std::unique_ptr<ByteStream> stream) {
    auto& mine = streams_[Shard::current()->index()];
    auto echo = std::make_unique<Echo>(*this, std::move(stream));
    auto& started = *echo;
    mine.insert(std::move(echo));
    started.start();
}

void EchoProtocol::stop(uint64_t, std::function<void()> done) {
    for (size_t i = 0; i < pool_.size(); ++i) {
        pool_[i].post([this, i] {
            for (const auto& echo : streams_[i]) echo->close();
        });
    }
    done();
}

WebSocketTest::WebSocketTest(size_t shards)
    : hub_(shards),
      pool_(hub_, shards),
      host_(pool_, seen_),
      context_(host_, 1, "web", pool_[0], Log()),
      settings_(Settings::defaults(websocket::describe_options())) {
    settings_.set("listen", std::vector<std::string>{"ws://127.0.0.1:0"}, true);
    settings_.set("mqtt", std::make_shared<const Settings>(), false);
    pool_.start();
}

WebSocketTest::~WebSocketTest() {
    expect_all_gone();
    ShardPool::run_on(pool_[0], [&] { endpoint_->stop_listening(); });
    pool_.stop();
    endpoint_.reset();
}

void WebSocketTest::expect_all_gone() {
    const auto& endpoint = dynamic_cast<websocket::WebSocketEndpoint&>(*endpoint_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (endpoint.connections() != 0 && std::chrono::steady_clock::now() < deadline) {
        for (size_t i = 0; i < pool_.size(); ++i) ShardPool::run_on(pool_[i], [] {});
    }
    EXPECT_EQ(endpoint.connections(), 0u);
}

void WebSocketTest::start() {
    plugin_ = trestle_plugin_websocket()->create(host_);
    endpoint_ = plugin_->make_endpoint(context_, settings_);
    ShardPool::run_on(pool_[0], [&] {
        endpoint_->start();
        ports_ = dynamic_cast<websocket::WebSocketEndpoint&>(*endpoint_).ports();
    });
}

void WebSocketTest::stop() {
    ShardPool::run_on(pool_[0], [&] {
        endpoint_->stop(pool_[0].now_ms() + 5'000,
                        [&] { seen_.note([](Seen& s) { s.stopped = true; }); });
    });
}

uint64_t WebSocketTest::count(std::string_view name, std::string_view reason) {
    for (const auto& family : host_.metrics().read()) {
        if (family.name != name) continue;
        for (const auto& sample : family.samples) {
            for (const auto& [label, value] : sample.labels) {
                if (label == "reason" && value == reason) {
                    return static_cast<uint64_t>(sample.value);
                }
            }
        }
    }
    ADD_FAILURE() << "no metric " << name << " with reason " << reason;
    return 0;
}

}  // namespace trestle::test
