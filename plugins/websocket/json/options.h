// What JSON clients of a websocket endpoint can be told in the config. Main thread; plain values
// afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/session.h"
#include "plugin_api/options.h"

namespace trestle::websocket::json {

std::vector<Option> describe_options();

struct ClientOptions {
    uint64_t max_message_size = 0;
    uint32_t max_errors = 0;
    bool deflate = false;
    uint32_t max_topic_levels = 0;
    uint32_t max_pending_publishes = 0;
    uint32_t max_pending_requests = 0;
    uint64_t request_timeout_ms = 0;
    size_t max_write_buffer = 0;
    bool disconnects_slow = false;  ///< instead of dropping messages
    std::vector<std::string> refuse_filters;
    SessionLimits session;

    static ClientOptions from(const Settings& settings);
};

}  // namespace trestle::websocket::json
