// The options of a ZeroMQ endpoint: their description, their rules, and what comes out.
//
// Used while starting and checking, on the main thread; `EndpointOptions` is a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin_api/options.h"
#include "plugin_api/plugin.h"
#include "zmq/frames.h"

namespace trestle::zmq {

enum class SocketKind : uint8_t { pub, push, pull, sub };

struct EndpointOptions {
    SocketKind socket = SocketKind::pub;
    std::vector<std::string> bind;
    std::vector<std::string> connect;
    FrameFormat frames;
    int send_hwm = 0;
    int receive_hwm = 0;
    int linger_ms = 0;
    int heartbeat_ms = 0;
    int handshake_timeout_ms = 0;
    int backlog = 0;
    size_t max_message_size = 0;
    bool has_subscribe = false;
    std::vector<std::string> subscribe;

    [[nodiscard]] bool sends() const {
        return socket == SocketKind::pub || socket == SocketKind::push;
    }
    static EndpointOptions from(const Settings& settings);
};

std::vector<Option> describe_options();
void check_options(const Settings& settings, FaultSink& faults);
EndpointKind kind_of(const Settings& settings);

}  // namespace trestle::zmq
