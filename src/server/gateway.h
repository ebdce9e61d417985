// The gateway itself: hub, shards, endpoints and routes, put together from a config.
//
// Made, started, changed and stopped on the main thread, which never waits for a stop: it goes on
// answering probes meanwhile. It is the `Host` that plugins see; those calls come from any shard.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/hub.h"
#include "plugin_api/plugin.h"
#include "runtime/shard_pool.h"
#include "server/config.h"
#include "server/hub_keeper.h"
#include "server/plugin_loader.h"

namespace boost::asio {
class io_context;
}

namespace trestle {

class Gateway final : public Host {
 public:
    Gateway(const Config& config, PluginLoader& plugins, LogSink& log, Metrics& metrics);
    /// Stops what still runs.
    ~Gateway() override;

    /// Makes and starts everything. Throws std::runtime_error with a sentence when a part cannot.
    void start();
    /// Takes over the routes of another config; endpoints must be the same.
    void change_routes(const Config& config);
    /// Stops taking connections, says goodbye, delivers what it can within `drain_ms`, counts the
    /// rest as dropped{shutdown}, joins the shards, and calls `done`. Returns at once; its steps,
    /// and `done`, run on `io`, which is the main thread's. Once, and only when it runs.
    void stop(boost::asio::io_context& io, uint64_t drain_ms, std::function<void()> done);
    /// As if the time of the `stop` under way were over.
    void cut_short();
    /// The same without draining, and waits: for a start that failed.
    void stop_and_wait();
    [[nodiscard]] bool is_stopping() const { return stopping_; }
    /// Why it is not ready; empty when it is. Main thread.
    [[nodiscard]] std::vector<std::string> not_ready() const;
    /// The shards that have not run for so long, a sentence each: they hang, and every connection
    /// of theirs with them.
    [[nodiscard]] std::vector<std::string> hung_shards(std::chrono::duration<double> limit) const;

    // For the admin API, on the main thread.
    struct EndpointView {
        const std::string& name;
        const EndpointKind& kind;
        Endpoint& endpoint;
        Shard& home;
    };
    [[nodiscard]] std::vector<EndpointView> endpoints() const;
    [[nodiscard]] const std::vector<RoutePtr>& routes() const { return routes_; }
    [[nodiscard]] Hub& hub() { return hub_; }
    /// Empty for the gateway itself.
    [[nodiscard]] std::string name_of(EndpointId id) const;

    // Host
    [[nodiscard]] size_t shard_count() const override {
        return const_cast<ShardPool&>(pool_).size();
    }
    Shard& shard(size_t index) override { return pool_[index]; }
    Metrics& metrics() override { return metrics_; }
    Shard& home_of(std::string_view client_id) override { return pool_.home_of(client_id); }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view name,
                                                      EndpointContext& context,
                                                      const Settings& settings) override;

 private:
    struct Running {
        std::unique_ptr<EndpointContext> context;
        std::unique_ptr<Endpoint> endpoint;
        EndpointKind kind;
        bool started = false;
        bool told_to_stop = false;
    };
    /// A stop under way.
    struct Stop {
        boost::asio::io_context& io;
        uint64_t drain_ms;
        uint64_t deadline_ms;
        std::function<void()> done;
    };
    Plugin& plugin(const std::string& name);
    void make_endpoints(const Config& config);
    void set_routes(const Config& config, uint64_t drain_ms);
    RoutePtr make_route(const RouteConfig& config);
    void describe_route(const RouteConfig& config, bool is_there);
    [[nodiscard]] EndpointId id_of(std::string_view endpoint) const;
    // The steps of a stop (gateway_stop.cpp), in this order.
    std::function<void()> after(size_t parts, void (Gateway::*next)());
    void stop_sources();
    void stop_sinks();
    void stop_endpoints(bool route_sinks, void (Gateway::*next)());
    void end_sessions();
    void finish_stop();

    void add_metrics();
    [[nodiscard]] std::vector<double> lags_of_shards() const;  // in seconds

    const Config& first_config_;
    PluginLoader& plugin_loader_;
    LogSink& log_sink_;
    Log log_;
    Metrics& metrics_;
    Hub hub_;
    ShardPool pool_;
    std::unique_ptr<HubKeeper> hub_keeper_;  // on the first shard
    std::map<std::string, std::unique_ptr<Plugin>> plugins_;
    std::vector<Running> endpoints_;  // by id, from 1
    std::vector<RouteConfig> route_configs_;
    std::vector<RoutePtr> routes_;  // beside route_configs_
    std::optional<Stop> stop_;
    bool running_ = false;
    bool stopping_ = false;
};

}  // namespace trestle
