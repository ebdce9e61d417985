// A small gateway for tests: a hub, running shards and ZeroMQ endpoints on them, and foreign peers.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "plugin_api/plugin.h"
#include "zmq/options.h"
#include "zmq/socket.h"

namespace trestle::zmq {

using Parts = std::vector<std::string>;

/// Asks again and again, as what it waits for happens in libzmq's threads. Fails after ten seconds.
bool eventually(const std::function<bool()>& holds);

/// Settings of an endpoint bound to a free port of this machine.
Settings settings_for(const std::string& socket,
                      std::vector<std::pair<std::string, Settings::Value>> more = {});

class TestGateway final : public Host {
 public:
    explicit TestGateway(size_t shards = 1);
    ~TestGateway() override;

    size_t shard_count() const override { return shards_.size(); }
    Shard& shard(size_t index) override { return *shards_[index]; }
    Metrics& metrics() override { return metrics_; }
    Shard& home_of(std::string_view) override { return *shards_[0]; }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view, EndpointContext&,
                                                      const Settings&) override {
        return nullptr;
    }
    /// Runs on a shard's thread, waits, and passes on what it throws.
    static void run_on(Shard& shard, const std::function<void()>& work);

    /// Makes and starts an endpoint; its id is its place from 1.
    template <class E>
    E& add(const std::string& name, const Settings& settings) {
        return static_cast<E&>(add(name, [&](EndpointContext& context) {
            return std::make_unique<E>(context, zmq_, EndpointOptions::from(settings));
        }));
    }
    Endpoint& add(const std::string& name,
                  const std::function<std::unique_ptr<Endpoint>(EndpointContext&)>& make);

    struct RouteSpec {
        std::string name;
        std::string mqtt;
        std::string zmq;
        std::string to;
        std::string from;
        RouteOptions options = {};
    };
    void set_routes(const std::vector<RouteSpec>& specs, uint64_t drain_ms = 0);

    struct Publish {
        std::string topic;
        std::string payload;
        Qos qos = Qos::at_most_once;
        EndpointId origin = 0;
    };
    PublishResult publish(const Publish& message, size_t shard = 0,
                          const std::weak_ptr<AckReceiver>* waiter = nullptr, uint64_t token = 0);
    /// Stops an endpoint; true when it was done in time.
    bool stop(Endpoint& endpoint, uint64_t within_ms = 2000);

    /// The sum of the samples whose labels hold all of these.
    double metric(std::string_view name, const Labels& labels = {}) const;
    double outcome(const std::string& route, const std::string& word) const {
        return metric("trestle_route_messages_total", {{"route", route}, {"outcome", word}});
    }
    double dropped(const std::string& endpoint, const std::string& reason) const {
        return metric("trestle_messages_dropped_total",
                      {{"endpoint", endpoint}, {"reason", reason}});
    }
    /// matched - everything that became of it; zero when the books are right.
    double imbalance(const std::string& route) const;

 private:
    struct Running {
        std::unique_ptr<EndpointContext> context;
        std::unique_ptr<Endpoint> endpoint;
    };
    RoutePtr make_route(const RouteSpec& spec);
    EndpointId id_of(const std::string& name) const;

    Metrics metrics_;
    Hub hub_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::thread> threads_;
    Context zmq_;
    std::deque<Running> endpoints_;
    std::vector<RoutePtr> routes_;
};

/// A foreign peer: plain libzmq in a context of its own, used by the test's thread.
class Peer {
 public:
    /// `prepare` sets options before it connects; LINGER is 0 unless it says otherwise.
    Peer(int type, const std::string& address, const std::function<void(void*)>& prepare = {});
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// Empty when nothing comes for a while.
    Parts receive(int timeout_ms = 5000);
    void send(const Parts& frames);
    void* get() { return socket_; }

 private:
    void* context_;
    void* socket_;
};

void set_option(void* socket, int option, int value);
std::function<void(void*)> subscribed_to(std::vector<std::string> prefixes);

/// A subscriber of the hub that keeps what it gets.
class Collector final : public Subscriber {
 public:
    struct Got {
        std::string topic;
        std::string payload;
        std::string properties;
        Qos qos;
        bool retain;
        uint64_t expires_at_ms;
    };
    Collector(TestGateway& gateway, const std::string& filter, size_t shard = 0);
    ~Collector() override;
    void deliver(Delivery& delivery, const SubscriptionMatch& match) override;
    std::vector<Got> got();
    /// Waits until so many have come; then all of them.
    std::vector<Got> wait_for(size_t count);

 private:
    TestGateway& gateway_;
    std::string filter_;
    size_t shard_;
    std::mutex mutex_;
    std::vector<Got> got_;
};

}  // namespace trestle::zmq
