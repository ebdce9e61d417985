#include "server/api/figures.h"

#include <chrono>
#include <functional>
#include <string_view>

#include "plugin_api/metrics.h"

namespace trestle {

namespace {

std::string_view label_of(const Metrics::Sample& sample, std::string_view name) {
    for (const auto& [label, value] : sample.labels) {
        if (label == name) return value;
    }
    return {};
}

template <class T>
T& at(std::map<std::string, T, std::less<>>& all, std::string_view name) {
    const auto found = all.find(name);
    return found != all.end() ? found->second : all[std::string(name)];
}

using OfEndpoint = double EndpointFigures::*;
using OfRoute = double RouteFigures::*;

const std::map<std::string_view, OfEndpoint>& endpoint_metrics() {
    static const std::map<std::string_view, OfEndpoint> kAll{
        {"trestle_messages_received_total", &EndpointFigures::received},
        {"trestle_messages_sent_total", &EndpointFigures::sent},
        {"trestle_received_bytes_total", &EndpointFigures::received_bytes},
        {"trestle_sent_bytes_total", &EndpointFigures::sent_bytes},
        {"trestle_protocol_errors_total", &EndpointFigures::protocol_errors},
        {"trestle_connections", &EndpointFigures::peers},
        {"trestle_zmq_peers", &EndpointFigures::peers},
        {"trestle_session_queue_messages", &EndpointFigures::queue_messages},
        {"trestle_session_queue_bytes", &EndpointFigures::queue_bytes},
        {"trestle_session_in_flight", &EndpointFigures::in_flight}};
    return kAll;
}

const std::map<std::string_view, OfRoute>& route_metrics() {
    static const std::map<std::string_view, OfRoute> kAll{
        {"trestle_route_received_total", &RouteFigures::received},
        {"trestle_route_matched_total", &RouteFigures::matched},
        {"trestle_route_queue_messages", &RouteFigures::queue_messages},
        {"trestle_route_queue_bytes", &RouteFigures::queue_bytes},
        {"trestle_route_in_flight", &RouteFigures::in_flight}};
    return kAll;
}

const std::map<std::string_view, OfRoute>& outcomes() {
    static const std::map<std::string_view, OfRoute> kAll{
        {"sent", &RouteFigures::sent},       {"acked", &RouteFigures::acked},
        {"refused", &RouteFigures::refused}, {"timed_out", &RouteFigures::timed_out},
        {"dropped", &RouteFigures::dropped}, {"dead_lettered", &RouteFigures::dead_lettered},
        {"queued", &RouteFigures::queued}};
    return kAll;
}

void take_drops(const Metrics::Family& family, Figures& out) {
    for (const auto& sample : family.samples) {
        const auto reason = label_of(sample, "reason");
        auto& endpoint = at(out.endpoints, label_of(sample, "endpoint"));
        for (size_t i = 0; i < kDropReasons; ++i) {
            if (name_of(static_cast<DropReason>(i)) == reason) endpoint.dropped[i] += sample.value;
        }
    }
}

void take_outcomes(const Metrics::Family& family, Figures& out) {
    for (const auto& sample : family.samples) {
        const auto member = outcomes().find(label_of(sample, "outcome"));
        if (member == outcomes().end()) continue;
        at(out.routes, label_of(sample, "route")).*(member->second) += sample.value;
    }
}

void take_waits(const Metrics::Family& family, Figures& out) {
    for (const auto& sample : family.samples) {
        at(out.routes, label_of(sample, "route")).waits = sample.histogram.buckets;
        if (out.wait_bounds_s.empty()) out.wait_bounds_s = *sample.upper_bounds;
    }
}

double sum(const Metrics::Family& family) {
    double total = 0;
    for (const auto& sample : family.samples) total += sample.value;
    return total;
}

void take_single(const Metrics::Family& family, Figures& out) {
    if (family.name == "trestle_sessions") {
        for (const auto& sample : family.samples) {
            (label_of(sample, "state") == "connected" ? out.connected : out.disconnected) +=
                sample.value;
        }
    } else if (family.name == "trestle_subscriptions") {
        out.subscriptions = sum(family);
    } else if (family.name == "trestle_retained_messages") {
        out.retained_messages = sum(family);
    } else if (family.name == "trestle_retained_bytes") {
        out.retained_bytes = sum(family);
    } else if (family.name == "trestle_event_loop_lag_seconds") {
        out.loop_lag_s = sum(family);
    }
}

template <class Clock>
int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch())
        .count();
}

}  // namespace

Figures Figures::read(const Metrics& metrics) {
    Figures out;
    for (const auto& family : metrics.read()) {
        if (const auto of = endpoint_metrics().find(family.name); of != endpoint_metrics().end()) {
            for (const auto& sample : family.samples) {
                at(out.endpoints, label_of(sample, "endpoint")).*(of->second) += sample.value;
            }
        } else if (const auto r = route_metrics().find(family.name); r != route_metrics().end()) {
            for (const auto& sample : family.samples) {
                at(out.routes, label_of(sample, "route")).*(r->second) += sample.value;
            }
        } else if (family.name == "trestle_messages_dropped_total") {
            take_drops(family, out);
        } else if (family.name == "trestle_route_messages_total") {
            take_outcomes(family, out);
        } else if (family.name == "trestle_route_wait_seconds") {
            take_waits(family, out);
        } else {
            take_single(family, out);
        }
    }
    out.time_ms = now_ms<std::chrono::system_clock>();
    out.steady_ms = now_ms<std::chrono::steady_clock>();
    return out;
}

double quantile(const std::vector<double>& bounds_s, const std::vector<uint64_t>& buckets,
                double part) {
    uint64_t total = 0;
    for (const uint64_t n : buckets) total += n;
    if (total == 0 || bounds_s.empty()) return -1;
    const double wanted = part * static_cast<double>(total);
    uint64_t below = 0;
    for (size_t i = 0; i < bounds_s.size() && i < buckets.size(); ++i) {
        below += buckets[i];
        if (static_cast<double>(below) >= wanted) return bounds_s[i];
    }
    return bounds_s.back();
}

}  // namespace trestle
