#include "server/api/client_pages.h"

#include "server/api/query.h"

namespace trestle {

namespace {

bool is_wanted(const SessionTable::Entry& entry, const SessionsWanted& wanted) {
    const bool connected = entry.holder != nullptr;
    if (wanted.connected && *wanted.connected != connected) return false;
    if (contains(entry.session().client_id(), wanted.search)) return true;
    if (!connected) return false;
    const ConnectionReport report = entry.holder->report();
    return contains(report.address, wanted.search) || contains(report.user, wanted.search);
}

}  // namespace

SessionItem item_of(const SessionTable::Entry& entry, const HubShard& shard) {
    const Session& session = entry.session();
    SessionItem item;
    item.key = session.client_id();
    item.connected = entry.holder != nullptr;
    if (item.connected) item.connection = entry.holder->report();
    item.now_ms = shard.now_ms();
    item.expires_at_ms = entry.expires_at_ms();
    item.subscriptions = session.subscriptions().size();
    item.queued = session.queued();
    item.queued_bytes = session.queued_bytes();
    item.in_flight = session.in_flight();
    item.shard = shard.index();
    return item;
}

ShardPage<SessionItem> page_of(HubShard& shard, const SessionsWanted& wanted) {
    ShardPage<SessionItem> page;
    size_t visited = 0;
    shard.sessions().walk(wanted.after, [&](const SessionTable::Entry& entry) {
        if (is_wanted(entry, wanted)) {
            const auto& item = page.items.emplace_back(item_of(entry, shard));
            page.bytes += item.key.size() + item.connection.user.size();
        }
        if (++visited < kMostSessionsVisited && !page.is_full(wanted.limit)) return true;
        page.reached = entry.session().client_id();
        return false;
    });
    return page;
}

}  // namespace trestle
