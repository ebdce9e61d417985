#include "core/route_queue.h"

#include <algorithm>
#include <utility>

namespace trestle {

namespace {

// Looking for expired messages among many costs time; a full queue does it this often at most.
constexpr uint64_t kSweepInterval = 1000;
// Memory for this many slots is kept when the queue runs empty.
constexpr size_t kKeptSlots = 4096;

}  // namespace

const RouteQueue::Item* RouteQueue::front(ShardIndex shard, uint64_t now_ms) {
    while (size() != 0) {
        if (!items_.front().has_expired(now_ms)) return &items_.front();
        drop_at(shard, 0, DropReason::expired);
        admit_waiters(shard, now_ms);
    }
    return nullptr;
}

void RouteQueue::front_sent(ShardIndex shard, uint64_t now_ms) {
    const uint64_t entered_ms = items_[0].entered_ms;
    remove_at(shard, 0);
    ledger().leave(shard, now_ms > entered_ms ? now_ms - entered_ms : 0);
    admit_waiters(shard, now_ms);
}

void RouteQueue::drop_oldest(ShardIndex shard, bool only_qos0) {
    const size_t place = only_qos0 ? static_cast<size_t>(qos0_.front() - popped_) : 0;
    drop_at(shard, place, DropReason::queue_full);
}

void RouteQueue::drop_expired(ShardIndex shard, uint64_t now_ms) {
    if (now_ms < next_sweep_ms_ || now_ms < earliest_expiry_ms_) return;
    next_sweep_ms_ = now_ms + kSweepInterval;
    earliest_expiry_ms_ = kNeverExpires;
    Ring<Item> seen = std::exchange(items_, {});
    popped_ += seen.size();  // numbers start anew
    qos0_ = {};
    while (!seen.empty()) {
        Item item = seen.pop_front();
        if (!item.message) continue;
        if (item.has_expired(now_ms)) {
            leave_books(shard, item);
            ledger().drop(shard, DropReason::expired);
        } else {
            keep(std::move(item));
        }
    }
    admit_waiters(shard, now_ms);
}

void RouteQueue::drop_at(ShardIndex shard, size_t place, DropReason reason) {
    remove_at(shard, place);
    ledger().drop(shard, reason);
}

// The first of all, or the first of QoS 0.
void RouteQueue::remove_at(ShardIndex shard, size_t place) {
    const Item item = std::exchange(items_[place], Item{});
    if (item.qos == Qos::at_most_once) qos0_.pop_front();
    leave_books(shard, item);
    trim();
}

void RouteQueue::keep(Item item) {
    if (item.qos == Qos::at_most_once) qos0_.push_back(popped_ + items_.size());
    earliest_expiry_ms_ = std::min(earliest_expiry_ms_, item.message->view().expires_at_ms);
    items_.push_back(std::move(item));
    peak_ = std::max(peak_, items_.size());
}

void RouteQueue::trim() {
    while (!items_.empty() && !items_.front().message) {
        items_.pop_front();
        ++popped_;
    }
    if (items_.empty()) {
        if (peak_ > kKeptSlots) {
            items_.shrink();
            qos0_.shrink();
        }
        peak_ = 0;
        earliest_expiry_ms_ = kNeverExpires;
    } else if (items_.size() > 2 * size() + 64) {
        compact();
    }
}

// Closes the gaps; paid for by the removals that made them.
void RouteQueue::compact() {
    Ring<Item> seen = std::exchange(items_, {});
    popped_ += seen.size();  // numbers start anew
    qos0_ = {};
    while (!seen.empty()) {
        Item item = seen.pop_front();
        if (item.message) keep(std::move(item));
    }
}

void RouteQueue::drop_all(ShardIndex shard, DropReason reason) {
    refuse_waiters(shard);
    while (size() != 0) drop_at(shard, 0, reason);
    items_.shrink();
    qos0_.shrink();
}

}  // namespace trestle
