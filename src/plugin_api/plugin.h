// The plugin seam: what a plugin exports and what the host gives it.
//
// A plugin is a shared object with one exported C function, `trestle_plugin_<name>`, that returns
// its descriptor. Host and plugins come from one build: the descriptor starts with an API version
// and a build stamp, and the loader refuses what does not match. A plugin is loaded once and never
// unloaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ledger.h"
#include "core/route.h"
#include "plugin_api/build.h"
#include "plugin_api/byte_stream.h"
#include "plugin_api/log.h"
#include "plugin_api/metrics.h"
#include "plugin_api/options.h"
#include "plugin_api/plugin_options.h"
#include "plugin_api/shard.h"
#include "plugin_api/worker_report.h"

namespace trestle {

class Host;
class EndpointContext;

/// One configured instance of a plugin. Made and started on the main thread before traffic flows;
/// every other call comes on the endpoint's home shard.
class Endpoint {
 public:
    virtual ~Endpoint() = default;

    /// Opens listeners and sockets. On the home shard. Throws std::exception with a sentence that
    /// names what failed (a port in use); the program then ends with status 1.
    virtual void start() = 0;
    /// Takes no new connections; those that exist go on. On the home shard.
    virtual void stop_listening() = 0;
    /// Says goodbye to peers, flushes, closes; calls `done` on any thread when nothing is left or
    /// `deadline_ms` (steady clock) has passed; what is left then is counted as dropped{shutdown}.
    virtual void stop(uint64_t deadline_ms, std::function<void()> done) = 0;
    /// The deadline of the `stop` under way is now: an operator does not want to wait. `done` may
    /// have been called already. Worth overriding where a stop may take long. On the home shard.
    virtual void cut_short() {}
    /// Why this endpoint is not ready; empty when it is. From any thread.
    [[nodiscard]] virtual std::string not_ready() const { return {}; }

    /// Its workers in order of id, those after `after`, at most `most`: for operators. On the home
    /// shard, at any time between `start` and `stop`.
    [[nodiscard]] virtual std::vector<WorkerReport> workers(std::string_view after, size_t most) {
        (void)after, (void)most;
        return {};
    }

    /// Where routes `to` this endpoint deliver; null when it takes none.
    virtual RouteSink* route_sink() { return nullptr; }
    /// The routes that concern this endpoint (`to` or `from` it), at start and after each reload.
    /// What was there and is gone has been removed: its queue drains, for at most `drain_ms`, and
    /// what is left then is dropped{route_removed}. On the home shard.
    virtual void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) {
        (void)routes;
        (void)drain_ms;
    }
};

/// What every endpoint counts, made by the host; `qos` indexes 0 to 2.
struct EndpointCounters {
    Counter* messages_received[3];
    Counter* messages_sent[3];
    Counter* bytes_received;
    Counter* bytes_sent;
    Counter* protocol_errors;
    Gauge* connections;
    DropCounters dropped;

    void drop(ShardIndex shard, DropReason reason, uint64_t n = 1) const {
        dropped[static_cast<size_t>(reason)]->add(shard, n);
    }
};

/// What the host knows about one endpoint; lives as long as the endpoint.
class EndpointContext {
 public:
    EndpointContext(Host& host, EndpointId id, std::string name, Shard& home, Log log)
        : host_(host), id_(id), name_(std::move(name)), home_(home), log_(std::move(log)) {}

    [[nodiscard]] Host& host() const { return host_; }
    [[nodiscard]] EndpointId id() const { return id_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] Shard& home() const { return home_; }
    [[nodiscard]] const Log& log() const { return log_; }
    /// Counters labelled with this endpoint and the protocol ("mqtt", "zmq").
    [[nodiscard]] EndpointCounters counters(std::string_view protocol) const;
    [[nodiscard]] SessionLedger session_ledger() const;
    [[nodiscard]] DropCounters drop_counters() const;

 private:
    Host& host_;
    EndpointId id_;
    std::string name_;
    Shard& home_;
    Log log_;
};

/// The books of one route; `reasons` are those of the endpoint it leads to.
RouteLedger make_route_ledger(Metrics& metrics, const std::string& route,
                              const DropCounters& reasons);

/// A loaded plugin.
class Plugin {
 public:
    virtual ~Plugin() = default;
    /// `settings` is valid and complete; `context` outlives the endpoint. May throw like `start`.
    virtual std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                                    const Settings& settings) = 0;
    /// A protocol that this plugin speaks over any byte stream, for an endpoint of another plugin;
    /// null when it has none of that name. `settings` are this plugin's own, for that use.
    virtual std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view name,
                                                              EndpointContext& context,
                                                              const Settings& settings) {
        (void)name, (void)context, (void)settings;
        return nullptr;
    }
};

struct PluginDescriptor {
    uint32_t api_version;
    const char* build_stamp;
    const char* name;
    const char* summary;
    /// The options of one endpoint, without `plugin` and `anonymous`.
    std::vector<Option> (*options)();
    /// Names of the byte-stream protocols that it offers, and their options (found in an endpoint
    /// of another plugin under the protocol's name).
    std::vector<std::string> (*protocols)();
    std::vector<Option> (*protocol_options)(std::string_view protocol);
    /// Faults that a description cannot express.
    void (*check)(const Settings&, FaultSink&);
    EndpointKind (*kind)(const Settings&);
    std::unique_ptr<Plugin> (*create)(Host&);
    /// Its endpoints carry byte-stream protocols of other plugins: each finds its options under the
    /// protocol's name.
    bool carries_protocols = false;
};
using PluginEntry = const PluginDescriptor* (*)();

/// What the host offers to plugins. Lives until the end of the program.
class Host {
 public:
    virtual ~Host() = default;
    [[nodiscard]] virtual size_t shard_count() const = 0;
    virtual Shard& shard(size_t index) = 0;
    virtual Metrics& metrics() = 0;
    /// The shard on which a client id's session lives.
    [[nodiscard]] virtual Shard& home_of(std::string_view client_id) = 0;
    /// A byte-stream protocol of another plugin; null when no loaded plugin offers it.
    virtual std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view name,
                                                              EndpointContext& context,
                                                              const Settings& settings) = 0;
};

}  // namespace trestle
