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

enum class SocketKind : uint8_t { pub, push, pull, sub, router };

/// Of a `router`; what its peers are allowed.
struct RouterOptions {
    uint64_t heartbeat_ms = 0;
    uint32_t liveness = 0;
    uint64_t lease_ms = 0;
    uint64_t max_lease_ms = 0;
    uint32_t max_attempts = 0;
    uint32_t max_nack_delay_ms = 0;
    size_t max_workers = 0;
    uint32_t max_window = 0;
    size_t max_in_flight_bytes = 0;
    size_t max_unsent_bytes = 0;
    size_t max_frames = 0;
    size_t max_requests = 0;
    size_t max_requests_per_client = 0;
    size_t max_request_bytes = 0;
    size_t max_request_bytes_per_client = 0;
    uint32_t request_timeout_ms = 0;
    uint32_t max_request_timeout_ms = 0;
};

struct EndpointOptions {
    SocketKind socket = SocketKind::pub;
    std::vector<std::string> bind;
    std::vector<std::string> connect;
    FrameFormat frames;  ///< of a router: the body of its jobs
    int send_hwm = 0;
    int receive_hwm = 0;
    int linger_ms = 0;
    int heartbeat_ms = 0;
    int heartbeat_timeout_ms = 0;
    int handshake_timeout_ms = 0;
    int backlog = 0;
    size_t max_message_size = 0;
    size_t max_subscriptions = 0;
    size_t max_subscriptions_per_peer = 0;
    size_t max_subscription_bytes_per_peer = 0;
    size_t sequence_keys = 0;
    int snapshot_min_interval_ms = 0;
    size_t snapshot_max_messages = 0;
    bool has_subscribe = false;
    std::vector<std::string> subscribe;
    RouterOptions router;

    [[nodiscard]] bool sends() const {
        return socket == SocketKind::pub || socket == SocketKind::push ||
               socket == SocketKind::router;
    }
    static EndpointOptions from(const Settings& settings);

 private:
    void take_router(const Settings& settings);
};

std::vector<Option> describe_options();
void check_options(const Settings& settings, FaultSink& faults);
EndpointKind kind_of(const Settings& settings);

}  // namespace trestle::zmq
