// Workers of all endpoints, with what they have in hand.
#include "server/api/api_host.h"
#include "server/api/query.h"
#include "server/gateway.h"

namespace trestle {

namespace {

constexpr size_t kLargestPage = 1000;
constexpr size_t kMostSearched = 1000;  // workers of one endpoint that a page looks at

ordered_json json_of(const std::string& endpoint, const WorkerReport& worker) {
    ordered_json leases = ordered_json::array();
    for (const auto& lease : worker.leases) {
        leases.push_back({{"message", lease.message},
                          {"route", lease.route},
                          {"age_ms", lease.age_ms},
                          {"left_ms", lease.left_ms}});
    }
    return {{"endpoint", endpoint},          {"id", worker.id},
            {"protocol", worker.protocol},   {"state", worker.state},
            {"service", worker.service},     {"window", worker.window},
            {"in_flight", worker.in_flight}, {"silent_ms", worker.silent_ms},
            {"leases", std::move(leases)}};
}

/// A page under way: endpoint after endpoint, until it is full.
struct Pages {
    ApiHost& host;
    HttpReplyPtr reply;
    size_t limit;
    size_t endpoint;    // the one to ask next
    std::string after;  // within it
    std::string only;
    std::string search;
    ordered_json items = ordered_json::array();
};

bool is_wanted(const std::string& endpoint, const WorkerReport& worker, const std::string& search) {
    return contains(worker.id, search) || contains(endpoint, search) ||
           contains(worker.service, search);
}

void finish(Pages& pages, const ordered_json& next) {
    pages.reply->send(json_response({{"items", std::move(pages.items)}, {"next", next}}));
}

void go_on(const std::shared_ptr<Pages>& pages) {
    const auto endpoints = pages->host.gateway()->endpoints();
    while (pages->endpoint < endpoints.size() && !pages->only.empty() &&
           endpoints[pages->endpoint].name != pages->only) {
        ++pages->endpoint;
    }
    if (pages->endpoint >= endpoints.size()) return finish(*pages, nullptr);
    const auto& one = endpoints[pages->endpoint];
    const size_t room = pages->limit - pages->items.size();
    const size_t most = pages->search.empty() ? room : kMostSearched;
    ask_shard(
        pages->host, one.home,
        [&endpoint = one.endpoint, after = pages->after, most](Shard&) {
            return endpoint.workers(after, most);
        },
        [pages, name = one.name, most](const std::vector<WorkerReport>& workers) {
            for (const auto& worker : workers) {
                if (!is_wanted(name, worker, pages->search)) continue;
                pages->items.push_back(json_of(name, worker));
                if (pages->items.size() == pages->limit) {
                    return finish(*pages, name + ":" + worker.id);
                }
            }
            if (workers.size() == most) return finish(*pages, name + ":" + workers.back().id);
            ++pages->endpoint;
            pages->after.clear();
            go_on(pages);
        });
}

void send_workers(ApiHost& host, const HttpRequest& request, const HttpReplyPtr& reply) {
    Query query(request.query);
    const std::string only = query.text("endpoint");
    const std::string search = query.text("search");
    const std::string after = query.text("after");
    const size_t limit = query.number("limit", 1, kLargestPage, 100);
    const auto endpoints = host.gateway()->endpoints();
    const auto place_of = [&](std::string_view name) {
        size_t i = 0;
        while (i < endpoints.size() && endpoints[i].name != name) ++i;
        return i;
    };
    if (!only.empty() && place_of(only) == endpoints.size()) {
        query.refuse("endpoint", "the name of an endpoint");
    }
    size_t first = 0;
    const size_t colon = after.find(':');
    if (!after.empty()) {
        first = place_of(std::string_view(after).substr(0, colon));
        const bool is_elsewhere = !only.empty() && after.substr(0, colon) != only;
        if (colon == std::string::npos || first == endpoints.size() || is_elsewhere) {
            query.refuse("after", "the \"next\" of the page before");
        }
    }
    if (auto fault = query.fault()) return reply->send(std::move(*fault));
    const std::string within = after.empty() ? "" : after.substr(colon + 1);
    go_on(std::make_shared<Pages>(Pages{host, reply, limit, first, within, only, search}));
}

}  // namespace

void add_worker_api(Router& router, ApiHost& host) {
    router.exact("GET", "/api/v1/workers",
                 when_running(host, [&host](const HttpRequest& request, const HttpReplyPtr& reply) {
                     send_workers(host, request, reply);
                 }));
}

}  // namespace trestle
