// What all sessions together hold of messages: queued, in flight, and wills. One account for the
// hub, so that many sessions hold no more than few that are full.
//
// Each shard has a share of it that only its thread writes. The sum that checks read is told of a
// share only when that has moved by `kTell`, so it may be off by so much for each other shard.
// Outlives whatever it counts.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/counters.h"

namespace trestle {

class SessionBytes {
 public:
    static constexpr size_t kDefaultMost = size_t{4} << 30;
    static constexpr int64_t kTell = 64 * 1024;

    SessionBytes(size_t shards, size_t most) : most_(static_cast<int64_t>(most)), shares_(shards) {
        for (auto& share : shares_) share.whole_ = this;
    }
    SessionBytes(const SessionBytes&) = delete;

    /// One shard's part, used there only.
    class alignas(64) Share {
     public:
        void add(size_t bytes) { move(static_cast<int64_t>(bytes)); }
        void give_back(size_t bytes) { move(-static_cast<int64_t>(bytes)); }
        [[nodiscard]] bool has_room(size_t bytes) const { return fits(bytes, whole_->most_); }
        /// Queues leave an eighth to wills and to what is on its way to clients that read.
        [[nodiscard]] bool has_room_to_queue(size_t bytes) const {
            return fits(bytes, whole_->most_ - whole_->most_ / 8);
        }

     private:
        friend class SessionBytes;
        [[nodiscard]] int64_t held() const { return held_.load(std::memory_order_relaxed); }
        void move(int64_t n) {
            const int64_t now = held() + n;
            held_.store(now, std::memory_order_relaxed);
            const int64_t untold = now - told_;
            if (untold >= kTell || untold <= -kTell) [[unlikely]] {
                whole_->told_.fetch_add(untold, std::memory_order_relaxed);
                told_ = now;
            }
        }
        [[nodiscard]] bool fits(size_t bytes, int64_t most) const {
            const int64_t others = whole_->told_.load(std::memory_order_relaxed) - told_;
            return others + held() + static_cast<int64_t>(bytes) <= most;
        }

        SessionBytes* whole_ = nullptr;
        std::atomic<int64_t> held_{0};
        int64_t told_ = 0;
    };

    /// Bytes that are given back when it is destroyed, on the shard where they were taken.
    class Part {
     public:
        Part() = default;
        /// Empty when they do not fit.
        Part(Share& share, size_t bytes) {
            if (!share.has_room(bytes)) return;
            share.add(bytes);
            share_ = &share;
            bytes_ = bytes;
        }
        Part(Part&& other) noexcept
            : share_(std::exchange(other.share_, nullptr)), bytes_(other.bytes_) {}
        Part& operator=(Part&& other) noexcept {
            std::swap(share_, other.share_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Part() {
            if (share_ != nullptr) share_->give_back(bytes_);
        }
        explicit operator bool() const { return share_ != nullptr; }

     private:
        Share* share_ = nullptr;
        size_t bytes_ = 0;
    };

    [[nodiscard]] Share& share(ShardIndex shard) { return shares_[shard]; }
    /// From any thread.
    [[nodiscard]] int64_t held() const {
        int64_t all = 0;
        for (const auto& share : shares_) all += share.held();
        return all;
    }

 private:
    const int64_t most_;
    std::atomic<int64_t> told_{0};
    std::vector<Share> shares_;
};

}  // namespace trestle
