// A route: a named rule that maps MQTT topics to ZeroMQ keys and back.
//
// Compiled from the config; immutable afterwards and shared by all shards. Outward (`to`), the hub
// matches its filter and hands messages to the endpoint's `RouteSink`. Inward (`from`), the
// endpoint matches a key itself and publishes the topic that comes out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/ledger.h"
#include "core/mapping.h"
#include "core/member_state.h"
#include "core/subscriber.h"

namespace trestle {

class RouteSink;

/// What happens to a message when the route's queue is full.
enum class WhenFull : uint8_t { by_qos, block, drop_oldest, drop_newest };

/// What the publisher is told when nobody at the route's far end wants the message.
enum class NoReceiver : uint8_t { accept, report, refuse };

struct RouteOptions {
    std::string name;
    std::vector<std::string> exclude;  ///< MQTT filters
    Qos qos_in = Qos::at_least_once;   ///< of what comes from ZeroMQ
    Qos qos_out = Qos::exactly_once;   ///< at most, of what goes to ZeroMQ
    bool retain = false;
    bool worker_acks = false;
    uint32_t timeout_ms = 30'000;
    size_t max_messages = 100'000;
    size_t max_bytes = 64u << 20;
    WhenFull when_full = WhenFull::by_qos;
    uint32_t block_ms = 10'000;
    bool snapshot = false;         ///< retained messages for subscribers that come late
    bool terminates_keys = false;  ///< outward keys end with NUL
    NoReceiver no_receiver = NoReceiver::accept;
    std::string share;
    std::string dead_letter;
};

class Route {
 public:
    /// `order` maps topics to what `key` says; without it there is no order to keep.
    Route(RouteOptions options, Mapping mapping, EndpointId to, RouteSink* sink, EndpointId from,
          RouteLedger ledger, std::optional<Mapping> order = {});

    [[nodiscard]] const RouteOptions& options() const { return options_; }
    [[nodiscard]] const Mapping& mapping() const { return mapping_; }
    [[nodiscard]] const std::string& name() const { return options_.name; }
    [[nodiscard]] EndpointId to() const { return to_; }      ///< 0: inward only
    [[nodiscard]] EndpointId from() const { return from_; }  ///< 0: outward only
    [[nodiscard]] RouteSink* sink() const { return sink_; }
    [[nodiscard]] const RouteLedger& ledger() const { return ledger_; }
    /// Of a route that shares its topics with a group: whether a worker has room now. Its sink
    /// says.
    [[nodiscard]] const std::shared_ptr<MemberState>& member() const { return member_; }

    /// The key for a topic; false when the template does not match or `exclude` does.
    bool key_for(std::string_view topic, std::string& key) const;
    /// Of messages with the same one, a worker has one at a time (route option `key`); false when
    /// there is no such order.
    bool order_key_for(std::string_view topic, std::string& key) const;
    /// The topic for a key; false when the template does not match or `exclude` does.
    bool topic_for(std::string_view key, std::string& topic) const;

 private:
    [[nodiscard]] bool excluded(std::string_view topic) const;

    RouteOptions options_;
    Mapping mapping_;
    EndpointId to_;
    EndpointId from_;
    RouteSink* sink_;
    RouteLedger ledger_;
    std::optional<Mapping> order_;
    std::shared_ptr<MemberState> member_;
};

using RoutePtr = std::shared_ptr<const Route>;

/// An endpoint that routes lead to.
class RouteSink {
 public:
    virtual ~RouteSink() = default;
    /// Takes over one copy, already counted as `matched`: from now on the sink answers for its fate
    /// in the route's ledger. Called on any shard, by several at once; may take the endpoint's
    /// lock, never waits. To make the publisher wait it keeps `delivery.defer()`; to refuse at once
    /// it calls `delivery.worsen()`.
    virtual void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                        Delivery& delivery) = 0;
    /// For a route that shares its topics: the same, but only if a worker has room at once. False:
    /// not taken, and not counted yet; another member of the group may get it.
    virtual bool offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
                       Delivery& delivery) {
        accept(shard, route, key, delivery);
        return true;
    }
};

}  // namespace trestle
