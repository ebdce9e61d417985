// The gateway's figures at one moment, told apart by endpoint and route: what the dashboard, `top`
// and the API's lists show. Read from the metrics, so that nothing is counted twice.
//
// Plain values, made on the main thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/outcome.h"

namespace trestle {

class Metrics;

struct EndpointFigures {
    double received = 0, sent = 0;
    double received_bytes = 0, sent_bytes = 0;
    double protocol_errors = 0;
    double peers = 0;  // clients, or ZeroMQ peers
    std::array<double, kDropReasons> dropped{};
    // Of all its sessions.
    double queue_messages = 0, queue_bytes = 0, in_flight = 0;
};

struct RouteFigures {
    double received = 0;  // from ZeroMQ
    double matched = 0, sent = 0, acked = 0, refused = 0, timed_out = 0, dead_lettered = 0,
           dropped = 0, queued = 0;
    double queue_messages = 0, queue_bytes = 0, in_flight = 0;
    std::vector<uint64_t> waits;  // by bucket, not cumulative
};

struct Figures {
    int64_t time_ms = 0;    // since 1970
    int64_t steady_ms = 0;  // for differences
    std::map<std::string, EndpointFigures, std::less<>> endpoints;
    std::map<std::string, RouteFigures, std::less<>> routes;
    std::vector<double> wait_bounds_s;
    double connected = 0, disconnected = 0, subscriptions = 0;
    double retained_messages = 0, retained_bytes = 0;
    double loop_lag_s = 0;

    static Figures read(const Metrics& metrics);
};

/// The time below which this part (0.5, 0.99) of the observations lie, in seconds: the upper bound
/// of the bucket; -1 without observations, and the largest bound beyond all of them.
double quantile(const std::vector<double>& bounds_s, const std::vector<uint64_t>& buckets,
                double part);

}  // namespace trestle
