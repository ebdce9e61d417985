// The opening handshake of one connection: reads the request within limits of size and time,
// answers it, and gives the stream to the protocol. Lives on the shard that the connection was
// given to; owns itself through its endpoint's list until it has ended.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <vector>

#include "plugin_api/byte_stream.h"
#include "plugin_api/log.h"
#include "plugin_api/net.h"
#include "websocket/stream.h"
#include "websocket/upgrade.h"

namespace trestle::websocket {

class Handshake;

/// What the handshakes of an endpoint share, on all shards.
struct Gate {
    Gate(size_t shards, Log endpoint_log) : log(std::move(endpoint_log)), running(shards) {}

    void failed(ShardIndex shard, Failure failure) { failures[size_t(failure)]->add(shard); }

    std::unique_ptr<ByteStreamProtocol> protocol;  ///< null: no plugin offers MQTT
    std::shared_ptr<const StreamRules> stream_rules;
    std::array<Counter*, kFailures> failures{};
    Log log;
    RepeatLimit log_limit{5, std::chrono::seconds(10)};
    std::atomic<bool> stopping{false};
    std::shared_ptr<std::atomic<uint32_t>> taken = std::make_shared<std::atomic<uint32_t>>(0);
    /// By shard, used there only.
    std::vector<std::set<std::shared_ptr<Handshake>>> running;
};

class Handshake {
 public:
    virtual ~Handshake() = default;
    /// Closes the connection without an answer and forgets it.
    virtual void abort(Failure failure) = 0;
};

/// Begins on the calling shard, which is `shard`. With `refuse`, every request is answered 503.
void begin_handshake(std::shared_ptr<Gate> gate, std::shared_ptr<const UpgradeRules> rules,
                     Shard& shard, Accepted accepted, Slot slot, bool refuse);

}  // namespace trestle::websocket
