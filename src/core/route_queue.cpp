#include "core/route_queue.h"

#include <algorithm>
#include <utility>

namespace trestle {

namespace {

// Looking for expired messages among many costs time; a full queue does it this often at most.
constexpr uint64_t kSweepInterval = 1000;
// Memory for this many slots is kept when the queue runs empty.
constexpr size_t kKeptSlots = 4096;

bool has_expired(const MessagePtr& message, uint64_t now_ms) {
    return message->view().expires_at_ms <= now_ms;
}

}  // namespace

RouteQueue::RouteQueue(const RouteOptions& options, const RouteLedger& ledger)
    : options_(options), ledger_(ledger) {}

RouteQueue::Offered RouteQueue::offer(ShardIndex shard, std::string_view key,
                                      std::string_view client, Delivery& delivery,
                                      uint64_t now_ms) {
    const Qos qos = std::min(delivery.message().qos, options_.qos_out);
    const size_t bytes = delivery.message().size() + key.size();
    if (delivery.message().expires_at_ms <= now_ms) {
        ledger_.drop(shard, DropReason::expired);
        return Offered::dropped;
    }
    if (bytes > options_.max_bytes) {
        ledger_.drop(shard, DropReason::too_large);
        if (qos != Qos::at_most_once) delivery.worsen(Outcome::given_up);
        return Offered::dropped;
    }
    if (!waiters_.empty() || !fits(bytes)) drop_expired(shard, now_ms);
    const bool has_room = waiters_.empty() && fits(bytes);
    const WhenFull policy = options_.when_full;
    if (!has_room && policy == WhenFull::drop_newest) {
        ledger_.drop(shard, DropReason::queue_full);
        return Offered::dropped;
    }
    Item item{delivery.keep(), std::string(key), std::string(client), now_ms, qos};
    if (has_room) {
        enqueue(shard, std::move(item));
        return Offered::queued;
    }
    if (policy == WhenFull::drop_oldest) {
        return make_room_and_enqueue(shard, std::move(item), false);
    }
    if (policy == WhenFull::by_qos && qos == Qos::at_most_once) {
        return make_room_and_enqueue(shard, std::move(item), true);
    }
    return wait(shard, std::move(item), delivery, now_ms);
}

void RouteQueue::enqueue(ShardIndex shard, Item item) {
    const size_t bytes = item.size();
    if (item.qos == Qos::at_most_once) qos0_bytes_ += bytes;
    keep(std::move(item));
    ++count_;
    bytes_ += bytes;
    ledger_.queued->add(shard);
    ledger_.queue_messages->add(shard, 1);
    ledger_.queue_bytes->add(shard, static_cast<int64_t>(bytes));
}

RouteQueue::Offered RouteQueue::make_room_and_enqueue(ShardIndex shard, Item item, bool only_qos0) {
    const size_t bytes = item.size();
    // What was acknowledged at QoS 1 and 2 does not make way for QoS 0.
    const bool is_possible = !only_qos0 || (count_ - qos0_.size() < options_.max_messages &&
                                            bytes_ - qos0_bytes_ + bytes <= options_.max_bytes);
    if (!is_possible) {
        ledger_.drop(shard, DropReason::queue_full);
        return Offered::dropped;
    }
    while (!fits(bytes)) {
        const size_t place = only_qos0 ? static_cast<size_t>(qos0_.front() - popped_) : 0;
        drop_at(shard, place, DropReason::queue_full);
    }
    enqueue(shard, std::move(item));
    return Offered::queued;
}

RouteQueue::Offered RouteQueue::wait(ShardIndex shard, Item item, Delivery& delivery,
                                     uint64_t now_ms) {
    if (!delivery.can_defer()) {
        ledger_.drop(shard, DropReason::queue_full);
        delivery.worsen(Outcome::queue_full);
        return Offered::dropped;
    }
    const size_t bytes = item.size();
    const size_t most_bytes = std::max(options_.max_bytes, kLeastWaitingBytes);
    if (options_.block_ms == 0 || waiters_.size() >= kMostWaiters ||
        waiting_bytes_ + bytes > most_bytes) {
        ledger_.refuse(shard);
        delivery.worsen(Outcome::queue_full);
        return Offered::refused;
    }
    waiters_.push_back({std::move(item), delivery.defer(), now_ms + options_.block_ms});
    waiting_bytes_ += bytes;
    ledger_.queue_messages->add(shard, 1);
    ledger_.queue_bytes->add(shard, static_cast<int64_t>(bytes));
    return Offered::waiting;
}

const RouteQueue::Item* RouteQueue::front(ShardIndex shard, uint64_t now_ms) {
    while (count_ != 0) {
        if (!has_expired(items_.front().message, now_ms)) return &items_.front();
        drop_at(shard, 0, DropReason::expired);
        if (!waiters_.empty()) admit_waiters(shard, now_ms);
    }
    return nullptr;
}

void RouteQueue::front_sent(ShardIndex shard, uint64_t now_ms) {
    const uint64_t entered_ms = items_[0].entered_ms;
    remove_at(shard, 0);
    ledger_.leave(shard, now_ms > entered_ms ? now_ms - entered_ms : 0);
    if (!waiters_.empty()) admit_waiters(shard, now_ms);
}

void RouteQueue::admit_waiters(ShardIndex shard, uint64_t now_ms) {
    while (!waiters_.empty()) {
        const Item& first = waiters_.front().item;
        const size_t bytes = first.size();
        const bool is_late = has_expired(first.message, now_ms);
        if (!is_late && !fits(bytes)) return;
        Waiter waiter = waiters_.pop_front();
        waiting_bytes_ -= bytes;
        leave_books(shard, bytes);
        if (is_late) {
            ledger_.drop(shard, DropReason::expired);
        } else {
            enqueue(shard, std::move(waiter.item));
        }
        waiter.ack.settle(Outcome::accepted);
    }
    waiters_.shrink();
}

void RouteQueue::refuse_overdue(ShardIndex shard, uint64_t now_ms) {
    while (!waiters_.empty() && waiters_.front().due_ms <= now_ms) refuse_first_waiter(shard);
}

void RouteQueue::refuse_first_waiter(ShardIndex shard) {
    Waiter waiter = waiters_.pop_front();
    const size_t bytes = waiter.item.size();
    waiting_bytes_ -= bytes;
    leave_books(shard, bytes);
    ledger_.refuse(shard);
    waiter.ack.settle(Outcome::queue_full);
}

uint64_t RouteQueue::next_due_ms() const {
    return waiters_.empty() ? kNothing : waiters_[0].due_ms;
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
        if (has_expired(item.message, now_ms)) {
            forget(shard, item);
            ledger_.drop(shard, DropReason::expired);
        } else {
            keep(std::move(item));
        }
    }
    if (!waiters_.empty()) admit_waiters(shard, now_ms);
}

void RouteQueue::drop_at(ShardIndex shard, size_t place, DropReason reason) {
    remove_at(shard, place);
    ledger_.drop(shard, reason);
}

// The first of all, or the first of QoS 0.
void RouteQueue::remove_at(ShardIndex shard, size_t place) {
    const Item item = std::exchange(items_[place], Item{});
    if (item.qos == Qos::at_most_once) qos0_.pop_front();
    forget(shard, item);
    trim();
}

void RouteQueue::forget(ShardIndex shard, const Item& item) {
    const size_t bytes = item.size();
    --count_;
    bytes_ -= bytes;
    if (item.qos == Qos::at_most_once) qos0_bytes_ -= bytes;
    leave_books(shard, bytes);
}

void RouteQueue::keep(Item item) {
    if (item.qos == Qos::at_most_once) qos0_.push_back(popped_ + items_.size());
    earliest_expiry_ms_ = std::min(earliest_expiry_ms_, item.message->view().expires_at_ms);
    items_.push_back(std::move(item));
    peak_ = std::max(peak_, items_.size());
}

void RouteQueue::leave_books(ShardIndex shard, size_t bytes) const {
    ledger_.queue_messages->add(shard, -1);
    ledger_.queue_bytes->add(shard, -static_cast<int64_t>(bytes));
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
    } else if (items_.size() > 2 * count_ + 64) {
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
    while (!waiters_.empty()) refuse_first_waiter(shard);
    while (count_ != 0) drop_at(shard, 0, reason);
    items_.shrink();
    qos0_.shrink();
}

}  // namespace trestle
