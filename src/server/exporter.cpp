#include "server/exporter.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "plugin_api/metrics.h"

namespace trestle {

namespace {

prometheus::MetricType type_of(Metrics::Kind kind) {
    switch (kind) {
        case Metrics::Kind::counter:
            return prometheus::MetricType::Counter;
        case Metrics::Kind::gauge:
            return prometheus::MetricType::Gauge;
        case Metrics::Kind::histogram:
            break;
    }
    return prometheus::MetricType::Histogram;
}

prometheus::ClientMetric::Histogram to_prometheus(const Metrics::Sample& sample) {
    prometheus::ClientMetric::Histogram result;
    result.sample_count = sample.histogram.count;
    result.sample_sum = sample.histogram.sum;
    const std::vector<double>& bounds = *sample.upper_bounds;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < sample.histogram.buckets.size(); ++i) {
        cumulative += sample.histogram.buckets[i];
        const double bound =
            i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
        result.bucket.push_back({cumulative, bound});
    }
    return result;
}

prometheus::ClientMetric to_prometheus(Metrics::Kind kind, Metrics::Sample&& sample) {
    prometheus::ClientMetric result;
    switch (kind) {
        case Metrics::Kind::counter:
            result.counter.value = sample.value;
            break;
        case Metrics::Kind::gauge:
            result.gauge.value = sample.value;
            break;
        case Metrics::Kind::histogram:
            result.histogram = to_prometheus(sample);
            break;
    }
    for (auto& [name, value] : sample.labels) {
        result.label.push_back({std::move(name), std::move(value)});
    }
    return result;
}

}  // namespace

std::string prometheus_text(const Metrics& metrics) {
    std::vector<prometheus::MetricFamily> families;
    for (auto& family : metrics.read()) {
        prometheus::MetricFamily out{
            std::move(family.name), std::move(family.help), type_of(family.kind), {}};
        out.metric.reserve(family.samples.size());
        for (auto& sample : family.samples) {
            out.metric.push_back(to_prometheus(family.kind, std::move(sample)));
        }
        families.push_back(std::move(out));
    }
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, families);
    return std::move(text).str();
}

void add_build_info(Metrics& metrics, std::string_view version, std::string_view commit) {
    metrics
        .gauge("trestle_build_info", "Always 1; the labels say which build runs.",
               {{"version", std::string(version)}, {"commit", std::string(commit)}})
        .set(metrics.outside(), 1);
}

}  // namespace trestle
