// The options of a websocket endpoint: their description, the faults that it cannot express, and
// the values as the plugin uses them. Main thread; plain values afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/options.h"
#include "plugin_api/uri.h"

namespace trestle::websocket {

struct WebSocketOptions {
    std::vector<Uri> listen;  ///< a path in the address goes before `path`
    std::string path;         ///< empty = any
    std::vector<std::string> allowed_origins;
    uint64_t handshake_timeout_ms = 0;
    uint64_t ping_interval_ms = 0;  ///< 0 = no pings
    uint64_t max_message_size = 0;
    uint32_t max_connections = 0;
    bool offers_mqtt = true;
    bool offers_json = true;

    static WebSocketOptions from(const Settings& settings);
};

std::vector<Option> describe_options();
void check_options(const Settings& settings, FaultSink& faults);

/// An origin in the form of a browser's header, in lower case: scheme, host and port.
std::string normal_origin(std::string_view origin);

}  // namespace trestle::websocket
