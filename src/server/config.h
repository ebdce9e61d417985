// The whole config, read and checked: what the program runs on.
//
// A `Config` is made on the main thread, immutable afterwards and readable from any thread. It
// exists only when the file has no fault. No JSON is seen beyond `src/server/config*`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/options.h"
#include "plugin_api/plugin_options.h"
#include "server/config_text.h"

namespace trestle {

class ConfigFaults;

/// The plugins that could be used, as far as their config goes. Implemented by the loader.
class PluginCatalog {
 public:
    virtual ~PluginCatalog() = default;
    /// Called for names out of names() only. Null when that plugin cannot be used: `problem` then
    /// says why. The result lives as long as the catalog. May load the plugin.
    virtual const PluginOptions* find(std::string_view name, std::string& problem) = 0;
    /// All that are there, sorted.
    [[nodiscard]] virtual std::vector<std::string> names() = 0;
};

struct EndpointConfig {
    std::string name;
    std::string plugin;
    Settings settings;  // the plugin's options and `anonymous`
    EndpointKind kind;

    [[nodiscard]] bool anonymous() const { return settings.boolean("anonymous"); }
};

struct RouteQueueConfig {
    int64_t max_messages = 0;
    int64_t max_bytes = 0;
    std::string when_full;  // "block", "drop_oldest" or "drop_newest"; empty = by QoS
    int64_t block_ms = 0;
    bool operator==(const RouteQueueConfig&) const = default;
};

struct RouteConfig {
    std::string name;
    std::string description;
    std::string mqtt;  // template
    std::string zmq;   // template
    std::string to;    // endpoint, or empty
    std::string from;  // endpoint, or empty
    std::vector<std::string> exclude;
    int qos_in = 1;   // of what comes from ZeroMQ
    int qos_out = 2;  // at most, of what goes to ZeroMQ
    bool retain = false;
    bool worker_acks = false;  // "ack": "worker"
    int64_t timeout_ms = 0;
    RouteQueueConfig queue;
    bool snapshot = false;
    std::string no_receiver;  // "accept", "report" or "refuse"
    std::string share;
    std::string dead_letter;
    std::string key;  // template over the captures of `mqtt`; empty: no order
    bool operator==(const RouteConfig&) const = default;
};

struct AdminConfig {
    std::string listen;        // empty: no admin HTTP
    std::string probe_listen;  // empty: probes and metrics are on `listen` only
    std::string token;         // empty: none is asked for
    bool anonymous = false;
    int64_t max_tails = 8;    // live tails at the same time
    int64_t tail_rate = 100;  // messages a second that one tail shows
    bool operator==(const AdminConfig&) const = default;
};

struct LogConfig {
    std::string level;   // trace debug info warning error
    std::string format;  // text json
    bool operator==(const LogConfig&) const = default;
};

struct HubConfig {
    int64_t max_retained_messages = 1'000'000;
    int64_t max_retained_bytes = int64_t{1} << 30;
    int64_t max_session_bytes = int64_t{4} << 30;
    int64_t sys_interval_s = 10;  // 0: no $SYS topics
    bool operator==(const HubConfig&) const = default;
};

struct Config {
    std::string file;
    std::vector<EndpointConfig> endpoints;  // in order of name
    std::vector<RouteConfig> routes;        // in order of the file
    AdminConfig admin;
    LogConfig log;
    HubConfig hub;
    int64_t shards = 1;
    int64_t drain_timeout_ms = 0;
    std::string shown;  // as operators may see it: config_shown.h

    [[nodiscard]] const EndpointConfig* endpoint(std::string_view name) const;

    /// Reads, replaces, validates and cross-checks. Nothing when there is a fault; warnings alone
    /// do not hinder.
    static std::optional<Config> load(const std::string& file, const std::vector<std::string>& sets,
                                      PluginCatalog& plugins, ConfigFaults& faults);
    /// The same from a text in memory; `file` is only named.
    static std::optional<Config> parse(std::string_view text, const std::string& file,
                                       const std::vector<std::string>& sets,
                                       const Surroundings& surroundings, PluginCatalog& plugins,
                                       ConfigFaults& faults);
    /// Only `admin`: for programs that ask a running server. Loads no plugin; faults elsewhere in
    /// the file are left to `check`.
    static std::optional<AdminConfig> load_admin(const std::string& file,
                                                 const std::vector<std::string>& sets,
                                                 ConfigFaults& faults);
};

/// `./trestle.json`, else `/etc/trestle/trestle.json`; nothing when neither is there.
std::optional<std::string> default_config_file();

}  // namespace trestle
