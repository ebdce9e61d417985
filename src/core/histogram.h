// Observations counted into fixed buckets; costs two plain stores.
//
// As with counters, each shard's thread writes cache lines of its own; readers add up from any
// thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/counters.h"

namespace trestle {

/// Counts observations (seconds) into fixed buckets; a bound belongs to the bucket below it.
class Histogram {
 public:
    /// Bounds are finite and rise strictly; anything else is std::logic_error.
    Histogram(size_t cells, std::vector<double> upper_bounds);
    /// Not-a-number is ignored: one would spoil the sum for ever.
    void observe(ShardIndex shard, double seconds) noexcept;
    struct Reading {
        std::vector<uint64_t>
            buckets;  // not cumulative, one more than the bounds (the last is +Inf)
        uint64_t count = 0;
        double sum = 0;
    };
    [[nodiscard]] Reading read() const;
    /// The same bounds, or std::logic_error when the constructor would refuse them.
    static std::vector<double> checked_bounds(std::vector<double> bounds);
    [[nodiscard]] const std::vector<double>& upper_bounds() const { return bounds_; }

 private:
    // A shard's row fills whole cache lines: slot 0 holds the sum as bits, then come the buckets.
    static constexpr size_t kSlotsPerLine = 8;
    struct alignas(64) Line {
        std::atomic<uint64_t> slots[kSlotsPerLine]{};
    };
    [[nodiscard]] std::atomic<uint64_t>& slot(size_t row, size_t index) const noexcept {
        return lines_[row * lines_per_row_ + index / kSlotsPerLine].slots[index % kSlotsPerLine];
    }

    std::vector<double> bounds_;
    size_t rows_;
    size_t lines_per_row_;
    std::unique_ptr<Line[]> lines_;
};

}  // namespace trestle
