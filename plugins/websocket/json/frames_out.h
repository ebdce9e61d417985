// What a client is told: messages and answers as JSON text. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/message.h"
#include "websocket/json/operation.h"

namespace trestle::websocket::json {

struct Outgoing {
    const MessageView& message;
    Qos qos = Qos::at_most_once;
    bool retain = false;
    uint64_t delivery = 0;  ///< 0: nothing to acknowledge
    uint64_t now_ms = 0;
    std::span<const uint32_t> subscription_ids;
};
void append_message(std::string& out, const Outgoing& what);

/// `id` is JSON text; empty stands for null.
void append_ok(std::string& out, std::string_view id);
void append_subscribed(std::string& out, std::string_view id, Qos qos);
void append_response(std::string& out, std::string_view id, const Outgoing& what);
void append_error(std::string& out, std::string_view id, const Fault& fault);

}  // namespace trestle::websocket::json
