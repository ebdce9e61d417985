// A websocket endpoint on real shards, with an echo in the place of MQTT.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "client.h"
#include "runtime/shard_pool.h"
#include "websocket/endpoint.h"

extern "C" const trestle::PluginDescriptor* trestle_plugin_websocket();

namespace trestle::test {

/// What the echo has seen.
struct Seen {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> closed;  // why
    std::vector<ShardIndex> shards;   // where streams were served
    std::string bytes;                // of all
    std::string subjects;             // peers' addresses
    int drained = 0;
    bool stopped = false;

    template <class F>
    void note(F f) {
        const std::lock_guard lock(mutex);
        f(*this);
        changed.notify_all();
    }
    template <class F>
    bool wait(F f) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), [&] { return f(*this); });
    }
    /// A copy of one of these, taken under the lock.
    template <class T>
    T get(T Seen::*member) {
        const std::lock_guard lock(mutex);
        return this->*member;
    }
    /// Why the first stream was closed.
    std::string end() {
        wait([](Seen& s) { return !s.closed.empty(); });
        const std::lock_guard lock(mutex);
        return closed.empty() ? "(still open)" : closed.front();
    }
};

/// Answers every message with itself. A message that begins with "!" is an order:
/// "!close", "!abort", "!twice" (two appends), "!send N" (N bytes), "!move N" (to that shard).
class EchoProtocol final : public ByteStreamProtocol {
 public:
    EchoProtocol(ShardPool& pool, Seen& seen);

    ~EchoProtocol() override;
    void serve(std::unique_ptr<ByteStream> stream) override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;

 private:
    class Echo;
    void take(std::unique_ptr<ByteStream> stream);

    ShardPool& pool_;
    Seen& seen_;
    std::vector<std::set<std::unique_ptr<Echo>>> streams_;  // by shard
};

class TestHost final : public Host {
 public:
    TestHost(ShardPool& pool, Seen& seen) : pool_(pool), seen_(seen), metrics_(pool.size()) {}
    [[nodiscard]] size_t shard_count() const override { return pool_.size(); }
    Shard& shard(size_t index) override { return pool_[index]; }
    Metrics& metrics() override { return metrics_; }
    [[nodiscard]] Shard& home_of(std::string_view client_id) override {
        return pool_.home_of(client_id);
    }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view name, EndpointContext&,
                                                      const Settings&) override {
        if (name != "mqtt") return nullptr;
        return std::make_unique<EchoProtocol>(pool_, seen_);
    }

 private:
    ShardPool& pool_;
    Seen& seen_;
    Metrics metrics_;
};

class WebSocketTest : public testing::Test {
 protected:
    explicit WebSocketTest(size_t shards = 1);
    ~WebSocketTest() override;

    /// Makes and starts the endpoint; to be called once, after changes to `settings_`.
    void start();
    void set(const char* key, int64_t value) { settings_.set(key, value, true); }
    [[nodiscard]] uint16_t port() const { return ports_.front(); }
    /// The value of a counter with that reason, of this plugin's metrics.
    uint64_t count(std::string_view name, std::string_view reason);
    uint64_t failures(std::string_view reason) {
        return count("trestle_websocket_handshake_failures_total", reason);
    }
    uint64_t errors(std::string_view reason) {
        return count("trestle_websocket_protocol_errors_total", reason);
    }
    void stop();
    /// The clients have gone: nothing of theirs may stay behind.
    void expect_all_gone();

    Seen seen_;
    Hub hub_;
    ShardPool pool_;
    TestHost host_;
    EndpointContext context_;
    Settings settings_;
    std::unique_ptr<Plugin> plugin_;
    std::unique_ptr<Endpoint> endpoint_;
    std::vector<uint16_t> ports_;
};

}  // namespace trestle::test
