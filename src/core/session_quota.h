// How many sessions of one endpoint may outlive their connections, and how many do.
//
// Made by the endpoint and outlives its sessions. Any shard takes and gives back: the count is one
// atomic, touched when such a session begins and when it ends.
#pragma once

#include <atomic>
#include <utility>

#include "core/counters.h"

namespace trestle {

class SessionQuota {
 public:
    /// `gauge` shows how many there are; null: nobody asks.
    explicit SessionQuota(uint32_t most, Gauge* gauge = nullptr) : most_(most), gauge_(gauge) {}
    SessionQuota(const SessionQuota&) = delete;

    /// One session's part; given back when it is destroyed, on the shard where it was taken.
    class Place {
     public:
        Place() = default;
        Place(Place&& other) noexcept
            : quota_(std::exchange(other.quota_, nullptr)), shard_(other.shard_) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(quota_, other.quota_);
            std::swap(shard_, other.shard_);
            return *this;
        }
        ~Place() { give_back(); }
        explicit operator bool() const { return quota_ != nullptr; }
        [[nodiscard]] bool is_of(const SessionQuota& quota) const { return quota_ == &quota; }
        void give_back() {
            if (auto* quota = std::exchange(quota_, nullptr)) quota->leave(shard_);
        }

     private:
        friend class SessionQuota;
        Place(SessionQuota& quota, ShardIndex shard) : quota_(&quota), shard_(shard) {}
        SessionQuota* quota_ = nullptr;
        ShardIndex shard_ = 0;
    };

    /// Empty when there are as many as there may be.
    [[nodiscard]] Place take(ShardIndex shard) {
        uint32_t taken = taken_.load(std::memory_order_relaxed);
        do {
            if (taken >= most_) return {};
        } while (!taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed));
        if (gauge_ != nullptr) gauge_->add(shard, 1);
        return {*this, shard};
    }

 private:
    void leave(ShardIndex shard) {
        taken_.fetch_sub(1, std::memory_order_relaxed);
        if (gauge_ != nullptr) gauge_->add(shard, -1);
    }

    const uint32_t most_;
    std::atomic<uint32_t> taken_{0};
    Gauge* gauge_;
};

}  // namespace trestle
