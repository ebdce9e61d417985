// The opening handshake of one connection: reads the request within limits of size and time,
// answers it, and gives the connection to the protocol that was agreed on. Lives on the shard that
// the connection was given to; owned by its endpoint's list until it has ended.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <vector>

#include "plugin_api/log.h"
#include "plugin_api/net.h"
#include "websocket/connection.h"
#include "websocket/upgrade.h"

namespace trestle::websocket {

namespace json {
class Service;
}
class Handshake;

/// What the handshakes of an endpoint share, on all shards.
struct Gate {
    Gate(size_t shards, Log endpoint_log);
    ~Gate();

    void failed(ShardIndex shard, Failure failure) { failures[size_t(failure)]->add(shard); }

    std::unique_ptr<ByteStreamProtocol> mqtt;  ///< null: no plugin offers it
    std::unique_ptr<json::Service> json;
    std::shared_ptr<const ConnectionRules> rules;
    uint64_t max_stream_message = 0;
    std::array<Counter*, kFailures> failures{};
    Log log;
    RepeatLimit log_limit{5, std::chrono::seconds(10)};
    std::atomic<bool> stopping{false};
    uint64_t deadline_ms = 0;  ///< of the stop; on the home shard
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
