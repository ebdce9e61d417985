// What is counted of MQTT beside messages: connections and packets of all kinds.
//
// One set per endpoint; each shard adds to its own cells.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plugin_api/plugin.h"

namespace trestle::mqtt {

/// Why a CONNECT is refused: a limit, or what it says itself.
enum class Refusal : uint8_t { max_connections, max_sessions, max_session_bytes, packet };

struct PacketCounters {
    Counter* streams;     // that were handed to the protocol
    Counter* connects;    // CONNECT packets that were accepted
    Counter* refused[4];  // CONNECT packets that were not; by Refusal
    // All but PUBLISH, which is counted as a message.
    Counter* received;
    Counter* received_bytes;
    Counter* sent;
    Counter* sent_bytes;

    explicit PacketCounters(const EndpointContext& context);

    void count_received(ShardIndex shard, size_t size) const {
        received->add(shard);
        received_bytes->add(shard, size);
    }
    /// Size 0: it was not sent.
    void count_sent(ShardIndex shard, size_t size) const {
        if (size == 0) return;
        sent->add(shard);
        sent_bytes->add(shard, size);
    }
};

}  // namespace trestle::mqtt
