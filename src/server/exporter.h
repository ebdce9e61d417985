// Prometheus text from our metrics: what /metrics answers.
//
// Used on the main thread (metrics that are asked for are called here); owns nothing.
#pragma once

#include <string>
#include <string_view>

namespace trestle {

class Metrics;

/// The Content-Type of the text.
inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, read now, in the text format 0.0.4.
std::string prometheus_text(const Metrics& metrics);

/// `trestle_build_info{version,commit}` = 1.
void add_build_info(Metrics& metrics, std::string_view version, std::string_view commit);

}  // namespace trestle
