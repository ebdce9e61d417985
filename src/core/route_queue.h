// The queue of one route in front of a sink that is sometimes busy (a push socket): first in, first
// out. Who gets in, and the books: core/route_admission.h.
//
// Order is kept among messages of QoS 1 and 2, and among those of QoS 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/ring.h"
#include "core/route_admission.h"

namespace trestle {

class RouteQueue final : public RouteAdmission {
 public:
    using RouteAdmission::RouteAdmission;

    /// The next to be sent, null when there is none; drops what has expired. Good until the next
    /// call.
    const Item* front(ShardIndex shard, uint64_t now_ms);
    /// The sink has taken `front()` for good.
    void front_sent(ShardIndex shard, uint64_t now_ms);

    /// Drops everything that is queued, for this reason, and refuses those who wait.
    void drop_all(ShardIndex shard, DropReason reason);

 private:
    void store(Item item) override { keep(std::move(item)); }
    void drop_oldest(ShardIndex shard, bool only_qos0) override;
    void drop_expired(ShardIndex shard, uint64_t now_ms) override;
    void drop_at(ShardIndex shard, size_t place, DropReason reason);
    void remove_at(ShardIndex shard, size_t place);
    void keep(Item item);
    void trim();
    void compact();

    // Removed ones stay as gaps (no message) until they come to the front or `compact` runs.
    Ring<Item> items_;
    size_t peak_ = 0;  // slots used since it was empty
    // Places of the QoS 0 items, counted from the first item ever queued, oldest first.
    Ring<uint64_t> qos0_;
    uint64_t popped_ = 0;                          // slots that have left `items_` at its front
    uint64_t earliest_expiry_ms_ = kNeverExpires;  // at most that of the first to expire
    uint64_t next_sweep_ms_ = 0;
};

}  // namespace trestle
