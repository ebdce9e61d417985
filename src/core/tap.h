// A look at messages as they pass, for people: the live tail of the admin API.
//
// A tap is no subscriber. It changes nothing of a message's fate (whom nobody else wants still has
// no subscriber) and costs nothing to topics that its filter does not match: which taps a topic has
// lies in its cached match. Each shard shows a tap at most so many messages per window; the others
// are counted, not looked at: that bounds what a tap costs. A message is shown once, on the shard
// that it is published on.
//
// Made by whoever looks, held by the hub and by cached matches; may outlive its removal by a while.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/counters.h"
#include "core/message.h"

namespace trestle {

struct Publisher;

class Tap {
 public:
    static constexpr uint64_t kWindowMs = 100;

    /// `filter` is a valid topic filter.
    Tap(std::string filter, uint32_t per_window, size_t shards)
        : filter_(std::move(filter)), per_window_(per_window), cells_(shards) {}
    virtual ~Tap() = default;
    Tap(const Tap&) = delete;
    Tap& operator=(const Tap&) = delete;

    [[nodiscard]] const std::string& filter() const { return filter_; }
    /// Messages that matched and were not shown. From any thread.
    [[nodiscard]] uint64_t skipped() const {
        uint64_t sum = 0;
        for (const auto& cell : cells_) sum += cell.skipped.load(std::memory_order_relaxed);
        return sum;
    }

    /// For the hub, on that shard. Looks at most messages no further than this.
    void pass(ShardIndex shard, uint64_t now_ms, const MessageView& message,
              const Publisher& from) {
        const Cell& cell = cells_[shard];
        if (cell.left == 0 && now_ms < cell.next_window_ms) return skip(shard);
        take(shard, now_ms, message, from);
    }

 protected:
    /// One message; called on any shard, by several at once. Must not block, publish or subscribe.
    virtual void show(ShardIndex shard, uint64_t now_ms, const MessageView& message,
                      const Publisher& from) = 0;
    /// Also for messages that `show` leaves out.
    void skip(ShardIndex shard) {
        auto& count = cells_[shard].skipped;
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

 private:
    [[gnu::noinline]] void take(ShardIndex shard, uint64_t now_ms, const MessageView& message,
                                const Publisher& from) {
        Cell& cell = cells_[shard];
        if (cell.left == 0) {
            cell.left = per_window_;
            cell.next_window_ms = now_ms + kWindowMs;
        }
        --cell.left;
        show(shard, now_ms, message, from);
    }

    struct alignas(64) Cell {
        uint64_t next_window_ms = 0;
        uint32_t left = 0;
        std::atomic<uint64_t> skipped{0};
    };
    std::string filter_;
    uint32_t per_window_;
    std::vector<Cell> cells_;
};

using TapPtr = std::shared_ptr<Tap>;

}  // namespace trestle
