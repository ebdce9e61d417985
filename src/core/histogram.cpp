#include "core/histogram.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace trestle {

std::vector<double> Histogram::checked_bounds(std::vector<double> bounds) {
    for (size_t i = 0; i < bounds.size(); ++i) {
        if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) {
            throw std::logic_error("histogram bounds must be finite and rise");
        }
    }
    return bounds;
}

Histogram::Histogram(size_t cells, std::vector<double> upper_bounds)
    : bounds_(checked_bounds(std::move(upper_bounds))),
      rows_(cells),
      lines_per_row_((bounds_.size() + 2 + kSlotsPerLine - 1) / kSlotsPerLine),
      lines_(new Line[rows_ * lines_per_row_]) {}

void Histogram::observe(ShardIndex shard, double seconds) noexcept {
    assert(shard < rows_);
    if (std::isnan(seconds)) return;
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), seconds);
    auto& bucket = slot(shard, 1 + static_cast<size_t>(bound - bounds_.begin()));
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    auto& sum = slot(shard, 0);
    const double total = std::bit_cast<double>(sum.load(std::memory_order_relaxed)) + seconds;
    sum.store(std::bit_cast<uint64_t>(total), std::memory_order_relaxed);
}

Histogram::Reading Histogram::read() const {
    Reading reading;
    reading.buckets.resize(bounds_.size() + 1);
    for (size_t row = 0; row < rows_; ++row) {
        reading.sum += std::bit_cast<double>(slot(row, 0).load(std::memory_order_relaxed));
        for (size_t i = 0; i < reading.buckets.size(); ++i) {
            reading.buckets[i] += slot(row, 1 + i).load(std::memory_order_relaxed);
        }
    }
    for (const uint64_t n : reading.buckets) reading.count += n;
    return reading;
}

}  // namespace trestle
