// Endpoints and routes as they run, and why a topic or a key goes where it goes.
#include "core/topic.h"
#include "core/utf8.h"
#include "server/api/api_host.h"
#include "server/api/figures.h"
#include "server/api/figures_json.h"
#include "server/api/query.h"
#include "server/config.h"
#include "server/explain.h"
#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

constexpr size_t kMostMisses = 100;

ordered_json or_null(const std::string& text) {
    return text.empty() ? ordered_json() : ordered_json(text);
}

ordered_json addresses_of(const Settings& settings, const char* key) {
    return settings.has(key) ? ordered_json(settings.list(key)) : ordered_json::array();
}

HttpResponse endpoints_answer(ApiHost& host) {
    Figures figures = Figures::read(host.metrics());
    ordered_json items = ordered_json::array();
    for (const auto& one : host.gateway()->endpoints()) {
        const EndpointConfig& config = *host.config().endpoint(one.name);
        ordered_json listen = addresses_of(config.settings, "listen");
        for (auto& address : addresses_of(config.settings, "bind")) listen.push_back(address);
        const std::string reason = one.endpoint.not_ready();
        const bool has_socket = config.settings.has("socket");
        items.push_back({{"name", one.name},
                         {"plugin", config.plugin},
                         {"socket", has_socket ? ordered_json(config.settings.string("socket"))
                                               : ordered_json()},
                         {"state", reason.empty() ? "ready" : "not_ready"},
                         {"reason", or_null(reason)},
                         {"listen", std::move(listen)},
                         {"connect", addresses_of(config.settings, "connect")},
                         {"takes_routes", one.kind.takes_routes},
                         {"gives_messages", one.kind.gives_messages},
                         {"figures", endpoint_figures_json(figures.endpoints[one.name])}});
    }
    return json_response({{"items", std::move(items)}});
}

ordered_json seconds_or_null(double seconds) {
    return seconds < 0 ? ordered_json() : ordered_json(seconds);
}

ordered_json route_json(const RouteConfig& route, const RouteFigures& figures,
                        const std::vector<double>& bounds, const std::string& mqtt_filter) {
    return {{"name", route.name},
            {"description", or_null(route.description)},
            {"mqtt", route.mqtt},
            {"mqtt_filter", mqtt_filter},
            {"zmq", route.zmq},
            {"to", or_null(route.to)},
            {"from", or_null(route.from)},
            {"exclude", route.exclude},
            {"ack", route.worker_acks ? "worker" : "accepted"},
            {"queue_limit",
             {{"messages", route.queue.max_messages},
              {"bytes", route.queue.max_bytes},
              {"when_full", or_null(route.queue.when_full)},
              {"block_ms", route.queue.block_ms}}},
            {"wait_p50_s", seconds_or_null(quantile(bounds, figures.waits, 0.5))},
            {"wait_p99_s", seconds_or_null(quantile(bounds, figures.waits, 0.99))},
            {"figures", route_figures_json(figures)}};
}

HttpResponse routes_answer(ApiHost& host) {
    Figures figures = Figures::read(host.metrics());
    ordered_json items = ordered_json::array();
    for (const auto& running : host.gateway()->routes()) {
        const auto& all = host.config().routes;
        const auto config = std::ranges::find(all, running->name(), &RouteConfig::name);
        if (config == all.end()) continue;
        items.push_back(route_json(*config, figures.routes[config->name], figures.wait_bounds_s,
                                   std::string(running->mapping().mqtt_filter())));
    }
    return json_response({{"items", std::move(items)}});
}

const char* word_of(Explanation::Verdict verdict) {
    switch (verdict) {
        case Explanation::Verdict::matches:
            return "matches";
        case Explanation::Verdict::overruled:
            return "overruled";
        case Explanation::Verdict::excluded:
            return "excluded";
        case Explanation::Verdict::misses:
            break;
    }
    return "misses";
}

/// Matches first, then what almost matched, then the rest, as many as a person reads.
ordered_json rules_of(const std::vector<Explanation>& all, const Config& config, bool is_topic) {
    ordered_json items = ordered_json::array();
    using Verdict = Explanation::Verdict;
    for (const Verdict verdict :
         {Verdict::matches, Verdict::overruled, Verdict::excluded, Verdict::misses}) {
        size_t misses = 0;
        for (const auto& one : all) {
            if (one.verdict != verdict) continue;
            if (verdict == Verdict::misses && ++misses > kMostMisses) break;
            const auto route = std::ranges::find(config.routes, one.route, &RouteConfig::name);
            items.push_back({{"route", one.route},
                             {"verdict", word_of(one.verdict)},
                             {"template", is_topic ? route->mqtt : route->zmq},
                             {"endpoint", one.endpoint},
                             {"result", or_null(one.result)},
                             {"frames", one.frames},
                             {"why", or_null(one.why)}});
        }
    }
    return items;
}

HttpResponse explain_answer(ApiHost& host, const HttpRequest& request) {
    Query query(request.query);
    const auto topic = query.optional_text("topic");
    const auto endpoint = query.optional_text("endpoint");
    const auto key = query.optional_text("key");
    const bool by_topic = topic && !endpoint && !key;
    if (by_topic) {
        if (!is_valid_topic_name(*topic) || !is_valid_mqtt_utf8(*topic)) {
            query.refuse("topic", "a topic name (no wildcards, at most 65535 bytes of UTF-8)");
        }
    } else if (topic || !endpoint || !key) {
        query.refuse("topic", "either it alone, or both endpoint and key");
    } else if (const auto* source = host.config().endpoint(*endpoint);
               source == nullptr || !source->kind.gives_messages) {
        query.refuse("endpoint", "the name of an endpoint that gives messages");
    }
    if (auto fault = query.fault()) return std::move(*fault);
    const auto all = by_topic ? explain_topic(host.config(), *topic)
                              : explain_key(host.config(), *endpoint, *key);
    ordered_json out = by_topic ? ordered_json{{"topic", *topic}}
                                : ordered_json{{"endpoint", *endpoint}, {"key", *key}};
    out["taken"] = std::ranges::any_of(
        all, [](const auto& one) { return one.verdict == Explanation::Verdict::matches; });
    out["rules"] = rules_of(all, host.config(), by_topic);
    return json_response(out);
}

}  // namespace

void add_route_api(Router& router, ApiHost& host) {
    const auto answer = [&](const char* path, auto make) {
        router.exact("GET", path,
                     when_running(host, [&host, make](const HttpRequest& request,
                                                      const HttpReplyPtr& reply) {
                         reply->send(make(host, request));
                     }));
    };
    answer("/api/v1/endpoints",
           [](ApiHost& at, const HttpRequest&) { return endpoints_answer(at); });
    answer("/api/v1/routes", [](ApiHost& at, const HttpRequest&) { return routes_answer(at); });
    answer("/api/v1/explain", &explain_answer);
}

}  // namespace trestle
