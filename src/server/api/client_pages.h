// Sessions as operators see them, and one shard's part of a page of them. On that shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "core/session_table.h"
#include "server/api/shard_pages.h"

namespace trestle {

/// Sessions that one shard looks at for one request: what a page may cost the traffic.
inline constexpr size_t kMostSessionsVisited = 4096;

/// One session as it was when its shard looked.
struct SessionItem {
    std::string key;  // the client id
    bool connected = false;
    ConnectionReport connection;
    uint64_t now_ms = 0;
    uint64_t expires_at_ms = 0;
    size_t subscriptions = 0, queued = 0, queued_bytes = 0, in_flight = 0;
    ShardIndex shard = 0;
    std::vector<std::pair<std::string, SubscribeOptions>> filters;  // of a single client only
};

struct SessionsWanted {
    std::optional<bool> connected;
    std::string after, search;  // a client id; a part of client id, address or user
    size_t limit = 0;
};

SessionItem item_of(const SessionTable::Entry& entry, const HubShard& shard);

/// Costs as much as it looks at, however many sessions there are.
ShardPage<SessionItem> page_of(HubShard& shard, const SessionsWanted& wanted);

}  // namespace trestle
