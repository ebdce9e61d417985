// Counters, gauges and histograms that cost one plain store on the hot path.
//
// Each metric has one cell per shard, on a cache line of its own; only that shard's thread writes
// it, so no locked instruction is needed. `kOutside` is the cell for the main thread. Readers (the
// exporter, tests) add the cells up from any thread.
//
// A metric lives as long as the `Metrics` that made it; asking twice for the same name and labels
// gives the same metric. Names carry the prefix `trestle_`, base units, and `_total` on counters
// only. Labels are bounded sets (endpoint, route, protocol, qos, reason, direction), never topics
// or clients. A name, a label or a kind that breaks these rules is a programming error:
// std::logic_error.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/counters.h"
#include "core/histogram.h"

namespace trestle {

using Labels = std::vector<std::pair<std::string, std::string>>;  // in the order they are printed

/// The registry. Creating a metric takes a lock and may allocate; using one does neither.
class Metrics {
 public:
    enum class Kind : uint8_t { counter, gauge, histogram };

    /// `shards`: how many shards there are; one more cell is made for the main thread.
    explicit Metrics(size_t shards);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // Any thread may create. The first `help` and the first bounds of a name stay.
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    Histogram& histogram(std::string_view name, std::string_view help,
                         std::vector<double> upper_bounds, Labels labels = {});
    /// A gauge that is asked for at each `read`, on the reader's thread. It must not block and must
    /// not use this object. Asking twice replaces the function.
    void gauge_from(std::string_view name, std::string_view help, Labels labels,
                    std::function<double()> read);
    /// Stops exporting every series that carries this label value (a route that went away). Its
    /// references stay good, and its values are kept: made again, the series goes on from there, so
    /// a counter never falls. Functions given to `gauge_from` are dropped and not called again.
    void forget(std::string_view label, std::string_view value);

    /// The cell of threads that are no shard (the main thread).
    [[nodiscard]] ShardIndex outside() const { return static_cast<ShardIndex>(shards_); }

    struct Sample {
        Labels labels;
        double value = 0;
        Histogram::Reading histogram;  // histograms only
        const std::vector<double>* upper_bounds = nullptr;
    };
    struct Family {
        std::string name, help;
        Kind kind = Kind::counter;
        std::vector<Sample> samples;
    };
    /// Everything, read now; families in order of name, samples in order of their creation. Bounds
    /// pointed to live as long as this object.
    [[nodiscard]] std::vector<Family> read() const;

 private:
    struct Impl;
    size_t shards_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace trestle
