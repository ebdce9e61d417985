// What a plugin tells the host about the config of its endpoints, without making one: the keys, the
// rules that no single key can state, and what an endpoint with these settings is able to do.
//
// Everything here is used while starting, checking or reloading, on the main thread. The functions
// must not block, throw or touch the network.
#pragma once

#include <vector>

#include "plugin_api/options.h"

namespace trestle {

/// What one configured endpoint can do for routes.
struct EndpointKind {
    bool takes_routes = false;    // may stand in a route's `to`
    bool gives_messages = false;  // may stand in a route's `from`
    /// Incoming messages carry no key (format `payload`): exactly one route, without captures, may
    /// take from it.
    bool needs_fixed_topic = false;
    /// Peers choose by prefix of the key (pub): `check` then warns that key `sensor.1` also reaches
    /// those who asked for `sensor.10`'s prefix.
    bool prefix_matched = false;
    bool shares_jobs = false;      // each message goes to one peer: `share` is possible
    bool terminates_keys = false;  // keys end with NUL there
    bool worker_acks = false;      // `"ack": "worker"` is possible (router)
    /// Keys are names of services, which workers offer; there is use in it without any route
    /// (router).
    bool has_services = false;
    bool authenticates = false;  // peers must prove who they are: may listen beyond loopback
};

/// The config side of a plugin.
///
/// By convention `listen` and `bind` (string lists) hold the addresses that an endpoint listens on;
/// the host finds those given twice and those that are open to everybody. It adds the keys `plugin`
/// and `anonymous` to every endpoint; a plugin need not describe them.
struct PluginOptions {
    std::vector<Option> options;
    /// Reports what the description cannot say ("bind or connect is needed"); paths are relative to
    /// the endpoint. Called only when every required key is there and of the right type. May be
    /// null.
    void (*check)(const Settings& settings, FaultSink& faults) = nullptr;
    /// Never null. Called under the same condition as `check`.
    EndpointKind (*kind)(const Settings& settings) = nullptr;
};

}  // namespace trestle
