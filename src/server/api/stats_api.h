// The live figures: `stats` (now) and `history` (the last minutes), for the dashboard and `top`.
//
// One reading of the metrics serves everybody who asks within a moment, however many look. Lives on
// the main thread, with the router that it adds its paths to; samples by a timer of its own.
#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <deque>

#include "server/api/api_host.h"
#include "server/api/figures.h"

namespace trestle {

class StatsApi {
 public:
    StatsApi(Router& router, ApiHost& host);
    StatsApi(const StatsApi&) = delete;

    static constexpr int64_t kFreshMs = 200;      // figures that are younger are given again
    static constexpr int64_t kIntervalMs = 2000;  // between the points of the history
    static constexpr size_t kPoints = 300;

 private:
    /// What happened in one interval.
    struct Point {
        int64_t time_ms = 0, steady_ms = 0;
        double received = 0, sent = 0;  // per second
        std::array<double, kDropReasons> dropped{};
        double p50_s = -1, p99_s = -1, lag_s = 0;
    };
    const Figures& fresh();
    void sample();
    [[nodiscard]] HttpResponse stats();
    [[nodiscard]] HttpResponse history(const HttpRequest& request) const;

    ApiHost& host_;
    Figures now_;
    std::string body_;  // of `now_`
    Figures last_;      // of the last point
    std::deque<Point> points_;
    boost::asio::steady_timer timer_;
};

}  // namespace trestle
