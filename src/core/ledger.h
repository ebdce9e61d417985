// The books: every copy that matching makes is entered once and leaves by exactly one fate.
//
//   matched = sent + acked + refused + queued + in_flight + dropped{reason}
//
// kept per route, and per endpoint for the sum of its sessions. `queued` here counts passages into
// a queue; what is in the queue now is the gauge. The server makes the counters; core writes them.
#pragma once

#include <array>

#include "core/counters.h"
#include "core/histogram.h"
#include "core/outcome.h"

namespace trestle {

/// Dropped copies of one endpoint, by reason.
using DropCounters = std::array<Counter*, kDropReasons>;

/// Of all sessions of one endpoint.
struct SessionLedger {
    Counter* matched = nullptr;
    Counter* sent = nullptr;   ///< QoS 0: handed to the connection
    Counter* acked = nullptr;  ///< QoS 1 and 2: the client has acknowledged it
    Counter* queued = nullptr;
    Counter* dropped = nullptr;
    Gauge* queue_messages = nullptr;
    Gauge* queue_bytes = nullptr;
    Gauge* in_flight = nullptr;
    DropCounters reasons{};
    Counter* refused = nullptr;  ///< the client has answered it with an error

    void drop(ShardIndex shard, DropReason reason, uint64_t n = 1) const {
        dropped->add(shard, n);
        reasons[static_cast<size_t>(reason)]->add(shard, n);
    }
};

/// Of one route.
struct RouteLedger {
    Counter* matched = nullptr;
    Counter* sent = nullptr;   ///< taken by libzmq
    Counter* acked = nullptr;  ///< a worker has acknowledged it
    Counter* queued = nullptr;
    Counter* refused = nullptr;  ///< given back to the publisher: no room, or nobody there
    Counter* timed_out = nullptr;
    Counter* dead_lettered = nullptr;
    Counter* dropped = nullptr;
    Gauge* queue_messages = nullptr;
    Gauge* queue_bytes = nullptr;
    Gauge* in_flight = nullptr;
    Histogram* wait_seconds = nullptr;  ///< from the hub to the taking by the endpoint
    DropCounters reasons{};             ///< of the endpoint it leads to
    Counter* received = nullptr;        ///< messages from ZeroMQ that it gave a topic

    /// It has left for the endpoint's peer.
    void leave(ShardIndex shard, uint64_t waited_ms) const {
        sent->add(shard);
        if (wait_seconds != nullptr) {
            wait_seconds->observe(shard, static_cast<double>(waited_ms) / 1000);
        }
    }
    void drop(ShardIndex shard, DropReason reason, uint64_t n = 1) const {
        dropped->add(shard, n);
        reasons[static_cast<size_t>(reason)]->add(shard, n);
    }
    /// Refused is its own fate per route; the endpoint counts it under the reason.
    void refuse(ShardIndex shard, uint64_t n = 1,
                DropReason reason = DropReason::queue_full) const {
        refused->add(shard, n);
        reasons[static_cast<size_t>(reason)]->add(shard, n);
    }
};

}  // namespace trestle
