// Subscriptions of clients, in order of client id and filter.
#include "core/session_table.h"
#include "core/topic.h"
#include "server/api/api_host.h"
#include "server/api/query.h"
#include "server/api/shard_pages.h"
#include "server/gateway.h"

namespace trestle {

namespace {

constexpr size_t kLargestPage = 1000;
constexpr size_t kMostVisited = 4096;  // subscriptions, and sessions, that one shard looks at

struct SubscriptionItem {
    std::pair<std::string, std::string> key;  // client id and filter
    SubscribeOptions options;
};

struct Wanted {
    std::pair<std::string, std::string> after;
    std::string client, topic;
    size_t limit = 0;
};

/// "$share/<group>/<filter>" in its two parts; the group is empty otherwise.
std::pair<std::string_view, std::string_view> parts_of(std::string_view filter) {
    constexpr std::string_view kShare = "$share/";
    if (!filter.starts_with(kShare)) return {{}, filter};
    filter.remove_prefix(kShare.size());
    const size_t slash = filter.find('/');
    return {filter.substr(0, slash), filter.substr(slash + 1)};
}

/// Goes through one client's filters; false when enough has been looked at.
bool take_from(const Session& session, const Wanted& wanted, size_t& visited,
               ShardPage<SubscriptionItem>& page) {
    const auto& all = session.subscriptions();
    const bool goes_on = session.client_id() == wanted.after.first;
    auto at = goes_on ? all.upper_bound(wanted.after.second) : all.begin();
    for (; at != all.end(); ++at) {
        const auto& [filter, options] = *at;
        if (wanted.topic.empty() || filter_matches(parts_of(filter).second, wanted.topic)) {
            page.items.push_back({{session.client_id(), filter}, options});
            page.bytes += session.client_id().size() + filter.size();
        }
        if (++visited >= kMostVisited || page.is_full(wanted.limit)) {
            page.reached = {session.client_id(), filter};
            return false;
        }
    }
    return true;
}

ShardPage<SubscriptionItem> page_of(Shard& shard, const Wanted& wanted) {
    ShardPage<SubscriptionItem> page;
    auto& sessions = shard.hub().sessions();
    size_t visited = 0;
    const std::string& only = wanted.client.empty() ? wanted.after.first : wanted.client;
    if (const auto* entry = only.empty() ? nullptr : sessions.find(only)) {
        if (!take_from(entry->session(), wanted, visited, page)) return page;
    }
    if (!wanted.client.empty()) return page;
    sessions.walk(wanted.after.first, [&](const SessionTable::Entry& entry) {
        if (!take_from(entry.session(), wanted, visited, page)) return false;
        if (++visited < kMostVisited) return true;
        // Behind all of this client's filters: none begins with U+10FFFF.
        page.reached = {entry.session().client_id(), "\xf4\x8f\xbf\xbf"};
        return false;
    });
    return page;
}

// The cursor: how long the client id is, then both.
std::string cursor_of(const std::pair<std::string, std::string>& key) {
    return std::to_string(key.first.size()) + ":" + key.first + key.second;
}

std::optional<std::pair<std::string, std::string>> key_of(const std::string& cursor) {
    const size_t colon = cursor.find(':');
    if (colon == std::string::npos || colon == 0 || colon > 5 ||
        cursor.find_first_not_of("0123456789") != colon) {
        return std::nullopt;
    }
    const size_t size = std::stoul(cursor.substr(0, colon));
    if (size > cursor.size() - colon - 1) return std::nullopt;
    return {{cursor.substr(colon + 1, size), cursor.substr(colon + 1 + size)}};
}

ordered_json json_of(const SubscriptionItem& item) {
    const auto [group, filter] = parts_of(item.key.second);
    const SubscribeOptions& o = item.options;
    return {{"client_id", item.key.first},
            {"filter", filter},
            {"group", group.empty() ? ordered_json() : ordered_json(group)},
            {"qos", static_cast<int>(o.qos)},
            {"no_local", o.no_local},
            {"retain_as_published", o.retain_as_published},
            {"retain_handling", o.retain_handling},
            {"subscription_id",
             o.subscription_id == 0 ? ordered_json() : ordered_json(o.subscription_id)}};
}

void send_page(ApiHost& host, const HttpRequest& request, const HttpReplyPtr& reply) {
    Query query(request.query);
    Wanted wanted;
    wanted.client = query.text("client");
    wanted.topic = query.text("topic");
    if (!wanted.topic.empty() && !is_valid_topic_name(wanted.topic)) {
        query.refuse("topic", "a topic name, without wildcards");
    }
    wanted.limit = query.number("limit", 1, kLargestPage, 100);
    if (const auto after = query.optional_text("after"); after && !after->empty()) {
        const auto key = key_of(*after);
        if (!key) query.refuse("after", "the \"next\" of the page before");
        wanted.after = key.value_or(wanted.after);
    }
    if (auto fault = query.fault()) return reply->send(std::move(*fault));
    const auto shards = wanted.client.empty()
                            ? all_shards(host)
                            : std::vector<Shard*>{&host.gateway()->home_of(wanted.client)};
    const size_t limit = wanted.limit;
    ask_shards(
        host, shards, [wanted](Shard& shard) { return page_of(shard, wanted); },
        [reply, limit](std::vector<ShardPage<SubscriptionItem>> parts) {
            const auto page = merge_pages(std::move(parts), limit);
            ordered_json items = ordered_json::array();
            for (const auto& item : page.items) items.push_back(json_of(item));
            reply->send(json_response(
                {{"items", std::move(items)},
                 {"next", page.next ? ordered_json(cursor_of(*page.next)) : ordered_json()}}));
        });
}

}  // namespace

void add_subscription_api(Router& router, ApiHost& host) {
    router.exact("GET", "/api/v1/subscriptions",
                 when_running(host, [&host](const HttpRequest& request, const HttpReplyPtr& reply) {
                     send_page(host, request, reply);
                 }));
}

}  // namespace trestle
