#include "server/api/stats_api.h"

#include <algorithm>
#include <chrono>

#include "server/api/figures_json.h"
#include "server/api/query.h"
#include "server/gateway.h"
#include "server/version.h"

namespace trestle {

namespace {

int64_t whole(double value) { return static_cast<int64_t>(value); }

ordered_json drop_rates_of(const std::array<double, kDropReasons>& dropped) {
    ordered_json out = ordered_json::object();
    for (size_t i = 0; i < kDropReasons; ++i) {
        if (dropped[i] != 0) out[std::string(name_of(static_cast<DropReason>(i)))] = dropped[i];
    }
    return out;
}

}  // namespace

StatsApi::StatsApi(Router& router, ApiHost& host) : host_(host), timer_(host.io()) {
    router.exact("GET", "/api/v1/stats",
                 when_running(host, [this](const HttpRequest&, const HttpReplyPtr& reply) {
                     reply->send(stats());
                 }));
    router.exact("GET", "/api/v1/history",
                 when_running(host, [this](const HttpRequest& request, const HttpReplyPtr& reply) {
                     reply->send(history(request));
                 }));
    last_ = Figures::read(host_.metrics());
    sample();
}

const Figures& StatsApi::fresh() {
    const auto steady = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now().time_since_epoch())
                            .count();
    if (body_.empty() || steady - now_.steady_ms >= kFreshMs) {
        now_ = Figures::read(host_.metrics());
        body_.clear();
    }
    return now_;
}

void StatsApi::sample() {
    timer_.expires_after(std::chrono::milliseconds(kIntervalMs));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) sample();
    });
    const Figures now = Figures::read(host_.metrics());
    const double seconds = static_cast<double>(now.steady_ms - last_.steady_ms) / 1000;
    if (seconds > 0) {
        Point point;
        point.time_ms = now.time_ms;
        point.steady_ms = now.steady_ms;
        point.lag_s = now.loop_lag_s;
        for (const auto& [name, figures] : now.endpoints) {
            const EndpointFigures& before = last_.endpoints[name];
            point.received += std::max(0.0, figures.received - before.received) / seconds;
            point.sent += std::max(0.0, figures.sent - before.sent) / seconds;
            for (size_t i = 0; i < kDropReasons; ++i) {
                point.dropped[i] += std::max(0.0, figures.dropped[i] - before.dropped[i]) / seconds;
            }
        }
        std::vector<uint64_t> waits(now.wait_bounds_s.size() + 1);
        for (const auto& [name, figures] : now.routes) {
            const auto& before = last_.routes[name].waits;
            for (size_t i = 0; i < figures.waits.size() && i < waits.size(); ++i) {
                waits[i] += figures.waits[i] - (i < before.size() ? before[i] : 0);
            }
        }
        point.p50_s = quantile(now.wait_bounds_s, waits, 0.5);
        point.p99_s = quantile(now.wait_bounds_s, waits, 0.99);
        points_.push_back(point);
        if (points_.size() > kPoints) points_.pop_front();
    }
    last_ = now;
}

HttpResponse StatsApi::stats() {
    const Figures& f = fresh();
    HttpResponse response;
    response.content_type = "application/json";
    if (body_.empty()) {
        ordered_json endpoints = ordered_json::object();
        for (const auto& endpoint : host_.gateway()->endpoints()) {
            auto& out = endpoints[endpoint.name] =
                endpoint_figures_json(now_.endpoints[endpoint.name]);
            out["not_ready"] = endpoint.endpoint.not_ready();
        }
        ordered_json routes = ordered_json::object();
        for (const auto& route : host_.gateway()->routes()) {
            routes[route->name()] = route_figures_json(now_.routes[route->name()]);
        }
        const ordered_json body{
            {"time_ms", f.time_ms},
            {"steady_ms", f.steady_ms},
            {"version", program_version()},
            {"sessions",
             {{"connected", whole(f.connected)}, {"disconnected", whole(f.disconnected)}}},
            {"subscriptions", whole(f.subscriptions)},
            {"retained_messages", whole(f.retained_messages)},
            {"retained_bytes", whole(f.retained_bytes)},
            {"event_loop_lag_s", f.loop_lag_s},
            {"wait_bounds_s", f.wait_bounds_s},
            {"endpoints", std::move(endpoints)},
            {"routes", std::move(routes)}};
        body_ = json_response(body).body;
    }
    response.body = body_;
    return response;
}

HttpResponse StatsApi::history(const HttpRequest& request) const {
    Query query(request.query);
    auto since = static_cast<int64_t>(query.number("since", 0, INT64_MAX, 0));
    if (auto fault = query.fault()) return std::move(*fault);
    // Ahead of all that there is: from before the machine, and with it the clock, began anew.
    if (!points_.empty() && since > points_.back().steady_ms) since = 0;
    ordered_json points = ordered_json::array();
    for (const Point& p : points_) {
        if (p.steady_ms <= since) continue;
        points.push_back({{"time_ms", p.time_ms},
                          {"steady_ms", p.steady_ms},
                          {"received", p.received},
                          {"sent", p.sent},
                          {"dropped", drop_rates_of(p.dropped)},
                          {"wait_p50_s", p.p50_s < 0 ? ordered_json() : ordered_json(p.p50_s)},
                          {"wait_p99_s", p.p99_s < 0 ? ordered_json() : ordered_json(p.p99_s)},
                          {"event_loop_lag_s", p.lag_s}});
    }
    return json_response({{"interval_ms", kIntervalMs}, {"points", std::move(points)}});
}

}  // namespace trestle
