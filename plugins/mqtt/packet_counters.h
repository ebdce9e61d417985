// What is counted of MQTT beside messages: connections and packets of all kinds.
//
// One set per endpoint; each shard adds to its own cells.
#pragma once

#include <cstddef>

#include "plugin_api/plugin.h"

namespace trestle::mqtt {

struct PacketCounters {
    Counter* streams;   // that were handed to the protocol
    Counter* connects;  // CONNECT packets that were accepted
    // CONNECT packets that were answered with a refusal.
    Counter* refused_connections;  // max_connections
    Counter* refused_sessions;     // max_sessions
    Counter* refused_packets;      // what is wrong with them, or not offered
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
