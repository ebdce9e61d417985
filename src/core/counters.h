// Numbers that cost one plain store on the hot path.
//
// Each has one cell per shard, on a cache line of its own; only that shard's thread writes it, so
// no locked instruction is needed. Readers add the cells up from any thread. The last cell belongs
// to the main thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace trestle {

using ShardIndex = uint32_t;

/// A row of per-shard cells, each written by one thread.
class MetricCells {
 public:
    explicit MetricCells(size_t cells) : cells_(new Cell[cells]), count_(cells) {}
    void add(ShardIndex shard, int64_t n) noexcept {
        auto& cell = cells_[shard].value;
        cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void set(ShardIndex shard, int64_t n) noexcept {
        cells_[shard].value.store(n, std::memory_order_relaxed);
    }
    [[nodiscard]] int64_t sum() const noexcept {
        int64_t total = 0;
        for (size_t i = 0; i < count_; ++i)
            total += cells_[i].value.load(std::memory_order_relaxed);
        return total;
    }

 private:
    struct alignas(64) Cell {
        std::atomic<int64_t> value{0};
    };
    std::unique_ptr<Cell[]> cells_;
    size_t count_;
};

/// Only ever grows.
class Counter {
 public:
    explicit Counter(size_t cells) : cells_(cells) {}
    void add(ShardIndex shard, uint64_t n = 1) noexcept {
        cells_.add(shard, static_cast<int64_t>(n));
    }
    [[nodiscard]] uint64_t value() const noexcept { return static_cast<uint64_t>(cells_.sum()); }

 private:
    MetricCells cells_;
};

/// Goes up and down; the value shown is the sum over shards.
class Gauge {
 public:
    explicit Gauge(size_t cells) : cells_(cells) {}
    void add(ShardIndex shard, int64_t n) noexcept { cells_.add(shard, n); }
    void set(ShardIndex shard, int64_t n) noexcept { cells_.set(shard, n); }
    [[nodiscard]] int64_t value() const noexcept { return cells_.sum(); }

 private:
    MetricCells cells_;
};

}  // namespace trestle
