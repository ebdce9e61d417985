// From keys to topics: the inward routes of one endpoint.
//
// One key becomes one topic: the most specific route that takes the key decides, and among equals
// the one that stands first in the config. Lives on the endpoint's home shard. Remembers the keys
// it has seen last, as most senders repeat theirs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/route.h"

namespace trestle::zmq {

class KeyTable {
 public:
    struct Found {
        const Route* route = nullptr;
        std::string_view topic;  ///< good until the next call
    };

    KeyTable();
    /// Takes those that come `from` the endpoint.
    void set_routes(const std::vector<RoutePtr>& routes, EndpointId from);
    /// Null route: no route takes this key.
    Found find(std::string_view key);
    /// For messages without a key: the one route's topic.
    Found fixed();
    [[nodiscard]] const std::vector<RoutePtr>& routes() const { return routes_; }

 private:
    struct Slot {
        std::string key;
        std::string topic;
        const Route* route = nullptr;
    };
    static constexpr size_t kSlots = 1024;
    static constexpr size_t kLongestKept = 256;

    const Route* look_up(std::string_view key, std::string& topic) const;

    std::vector<RoutePtr> routes_;  // most specific first
    std::vector<Slot> slots_;       // by hash of the key
    std::string topic_;
};

/// Whether a key could be a topic's at all: not empty, UTF-8, no wildcards, not too long.
bool is_usable_key(std::string_view key);

}  // namespace trestle::zmq
