// Clients and sessions: pages, look-up, disconnecting, ending.
#include "core/session_table.h"
#include "plugin_api/log.h"
#include "server/api/api_host.h"
#include "server/api/client_pages.h"
#include "server/api/query.h"
#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

constexpr size_t kLargestPage = 1000;
constexpr size_t kMostFilters = 100;  // shown with one client

ordered_json json_of(const SessionItem& item, Gateway& gateway) {
    ordered_json out{{"client_id", item.key}, {"connected", item.connected}};
    if (item.connected) {
        const ConnectionReport& c = item.connection;
        out["endpoint"] = gateway.name_of(c.endpoint);
        out["protocol"] = c.protocol;
        out["address"] = c.address;
        out["user"] = c.user;
        out["keep_alive_s"] = c.keep_alive_s;
        out["connected_s"] = (item.now_ms - std::min(c.connected_ms, item.now_ms)) / 1000;
    } else {
        out["expires_s"] =
            item.expires_at_ms == 0
                ? ordered_json()
                : ordered_json((item.expires_at_ms - std::min(item.now_ms, item.expires_at_ms)) /
                               1000);
    }
    out["subscriptions"] = item.subscriptions;
    out["queue"] = {{"messages", item.queued}, {"bytes", item.queued_bytes}};
    out["in_flight"] = item.in_flight;
    out["shard"] = item.shard;
    return out;
}

void send_page(ApiHost& host, const HttpRequest& request, const HttpReplyPtr& reply,
               std::optional<bool> connected, bool may_choose) {
    Query query(request.query);
    SessionsWanted wanted;
    wanted.connected = connected;
    if (may_choose) {
        const std::string state = query.text("state");
        if (!state.empty()) wanted.connected = state == "connected";
        if (!state.empty() && state != "connected" && state != "disconnected") {
            query.refuse("state", "connected or disconnected");
        }
    }
    wanted.after = query.text("after");
    wanted.search = query.text("search");
    wanted.limit = query.number("limit", 1, kLargestPage, 100);
    if (auto fault = query.fault()) return reply->send(std::move(*fault));
    const size_t limit = wanted.limit;
    ask_shards(
        host, all_shards(host), [wanted](Shard& shard) { return page_of(shard.hub(), wanted); },
        [&host, reply, limit](std::vector<ShardPage<SessionItem>> parts) {
            const auto page = merge_pages(std::move(parts), limit);
            ordered_json items = ordered_json::array();
            for (const auto& item : page.items) items.push_back(json_of(item, *host.gateway()));
            reply->send(
                json_response({{"items", std::move(items)},
                               {"next", page.next ? ordered_json(*page.next) : ordered_json()}}));
        });
}

/// The client id behind the path's last '/'; answers when there is none.
std::optional<std::string> client_of(const HttpRequest& request, std::string_view prefix,
                                     const HttpReplyPtr& reply) {
    auto id = percent_decoded(request.path.substr(prefix.size()), false);
    if (id && !id->empty()) return id;
    reply->send(http_problem(400, "The client id is not percent-encoded UTF-8."));
    return std::nullopt;
}

HttpResponse nobody(const std::string& client_id) {
    return http_problem(404, "There is no session of the client \"" + client_id + "\".");
}

void send_one(ApiHost& host, const std::string& client_id, const HttpReplyPtr& reply) {
    ask_shard(
        host, host.gateway()->home_of(client_id),
        [client_id](Shard& shard) -> std::optional<SessionItem> {
            const auto* entry = shard.hub().sessions().find(client_id);
            if (entry == nullptr) return std::nullopt;
            SessionItem item = item_of(*entry, shard.hub());
            for (const auto& [filter, options] : entry->session().subscriptions()) {
                if (item.filters.size() == kMostFilters) break;
                item.filters.emplace_back(filter, options);
            }
            return item;
        },
        [&host, client_id, reply](std::optional<SessionItem> item) {
            if (!item) return reply->send(nobody(client_id));
            ordered_json out = json_of(*item, *host.gateway());
            ordered_json filters = ordered_json::array();
            for (const auto& [filter, options] : item->filters) {
                filters.push_back({{"filter", filter}, {"qos", static_cast<int>(options.qos)}});
            }
            out["filters"] = std::move(filters);
            reply->send(json_response(out));
        });
}

enum class Removal { disconnect, end };

void remove_one(ApiHost& host, const std::string& client_id, Removal removal,
                const HttpReplyPtr& reply) {
    ask_shard(
        host, host.gateway()->home_of(client_id),
        [client_id, removal](Shard& shard) {
            auto& sessions = shard.hub().sessions();
            auto* entry = sessions.find(client_id);
            if (entry == nullptr) return false;
            if (entry->holder == nullptr && removal == Removal::disconnect) return false;
            if (entry->holder != nullptr) entry->holder->send_away();
            // It may have ended with its connection.
            if (removal == Removal::end && (entry = sessions.find(client_id)) != nullptr) {
                sessions.end(*entry);
            }
            return true;
        },
        [&host, client_id, removal, reply](bool done) {
            if (done) {
                Log(host.log_sink(), "admin")
                    .info("{} {}",
                          removal == Removal::end ? "ended the session of" : "disconnected",
                          client_id);
                HttpResponse nothing;
                nothing.status = 204;
                nothing.content_type.clear();
                return reply->send(std::move(nothing));
            }
            reply->send(removal == Removal::end
                            ? nobody(client_id)
                            : http_problem(404, "No client \"" + client_id + "\" is connected."));
        });
}

}  // namespace

void add_client_api(Router& router, ApiHost& host) {
    const auto one = [&](const char* method, const char* prefix, auto action) {
        router.prefix(method, prefix,
                      when_running(host, [&host, prefix, action](const HttpRequest& request,
                                                                 const HttpReplyPtr& reply) {
                          Query query(request.query);
                          if (auto fault = query.fault()) return reply->send(std::move(*fault));
                          const auto id = client_of(request, prefix, reply);
                          if (id) action(host, *id, reply);
                      }));
    };
    router.exact("GET", "/api/v1/clients",
                 when_running(host, [&host](const HttpRequest& request, const HttpReplyPtr& reply) {
                     send_page(host, request, reply, true, false);
                 }));
    router.exact("GET", "/api/v1/sessions",
                 when_running(host, [&host](const HttpRequest& request, const HttpReplyPtr& reply) {
                     send_page(host, request, reply, std::nullopt, true);
                 }));
    one("GET", "/api/v1/clients/", &send_one);
    one("GET", "/api/v1/sessions/", &send_one);
    one("DELETE", "/api/v1/clients/",
        [](ApiHost& at, const std::string& id, const HttpReplyPtr& reply) {
            remove_one(at, id, Removal::disconnect, reply);
        });
    one("DELETE", "/api/v1/sessions/",
        [](ApiHost& at, const std::string& id, const HttpReplyPtr& reply) {
            remove_one(at, id, Removal::end, reply);
        });
}

}  // namespace trestle
