#include "core/route_admission.h"

#include <algorithm>
#include <utility>

namespace trestle {

RouteAdmission::RouteAdmission(const RouteOptions& options, const RouteLedger& ledger)
    : options_(options), ledger_(ledger) {}

RouteAdmission::Offered RouteAdmission::offer(ShardIndex shard, std::string_view key,
                                              bool with_publisher, Delivery& delivery,
                                              uint64_t now_ms) {
    const size_t bytes = delivery.message().size() + key.size();
    if (delivery.message().expires_at_ms <= now_ms) {
        return drop_offered(shard, delivery, DropReason::expired, Outcome::timed_out);
    }
    if (bytes > options_.max_bytes) {
        ledger_.drop(shard, DropReason::too_large);
        if (delivery.message().qos != Qos::at_most_once) delivery.worsen(Outcome::given_up);
        return Offered::dropped;
    }
    if (!waiters_.empty() || !fits(bytes)) drop_expired(shard, now_ms);
    const bool has_room = waiters_.empty() && fits(bytes);
    const WhenFull policy = options_.when_full;
    if (!has_room && policy == WhenFull::drop_newest) {
        return drop_offered(shard, delivery, DropReason::queue_full, Outcome::queue_full);
    }
    Item item = make_item(key, with_publisher, delivery, now_ms);
    if (has_room) {
        if (options_.worker_acks) item.ack = delivery.defer();
        enqueue(shard, std::move(item));
        return Offered::queued;
    }
    if (policy == WhenFull::drop_oldest) {
        return make_room_and_enqueue(shard, std::move(item), delivery, false);
    }
    if (policy == WhenFull::by_qos && item.qos == Qos::at_most_once) {
        return make_room_and_enqueue(shard, std::move(item), delivery, true);
    }
    return wait(shard, std::move(item), delivery, now_ms);
}

RouteAdmission::Item RouteAdmission::make_item(std::string_view key, bool with_publisher,
                                               Delivery& delivery, uint64_t now_ms) {
    Item item;
    item.message = delivery.keep();
    item.key = key;
    if (with_publisher) {
        item.client = delivery.from().client_id;
        item.user = delivery.from().user;
    }
    item.entered_ms = now_ms;
    item.qos = std::min(delivery.message().qos, options_.qos_out);
    return item;
}

// A publisher that only wants a place has been heard; one that waits for a worker is told.
RouteAdmission::Offered RouteAdmission::drop_offered(ShardIndex shard, Delivery& delivery,
                                                     DropReason reason, Outcome outcome) {
    ledger_.drop(shard, reason);
    if (options_.worker_acks && delivery.can_defer()) delivery.worsen(outcome);
    return Offered::dropped;
}

void RouteAdmission::enqueue(ShardIndex shard, Item item) {
    enter_books(shard, item);
    store(std::move(item));
}

void RouteAdmission::enter_books(ShardIndex shard, const Item& item) {
    const size_t bytes = item.size();
    ++count_;
    bytes_ += bytes;
    if (item.qos == Qos::at_most_once) {
        ++qos0_count_;
        qos0_bytes_ += bytes;
    }
    ledger_.queued->add(shard);
    count(shard, 1, static_cast<int64_t>(bytes));
}

void RouteAdmission::leave_books(ShardIndex shard, const Item& item) {
    const size_t bytes = item.size();
    --count_;
    bytes_ -= bytes;
    if (item.qos == Qos::at_most_once) {
        --qos0_count_;
        qos0_bytes_ -= bytes;
    }
    count(shard, -1, -static_cast<int64_t>(bytes));
}

void RouteAdmission::count(ShardIndex shard, int64_t messages, int64_t bytes) const {
    ledger_.queue_messages->add(shard, messages);
    ledger_.queue_bytes->add(shard, bytes);
}

RouteAdmission::Offered RouteAdmission::make_room_and_enqueue(ShardIndex shard, Item item,
                                                              Delivery& delivery, bool only_qos0) {
    const size_t bytes = item.size();
    // What was acknowledged at QoS 1 and 2 does not make way for QoS 0.
    const bool is_possible = !only_qos0 || (count_ - qos0_count_ < options_.max_messages &&
                                            bytes_ - qos0_bytes_ + bytes <= options_.max_bytes);
    if (!is_possible) {
        ledger_.drop(shard, DropReason::queue_full);
        return Offered::dropped;
    }
    while (!fits(bytes)) drop_oldest(shard, only_qos0);
    if (options_.worker_acks) item.ack = delivery.defer();
    enqueue(shard, std::move(item));
    return Offered::queued;
}

RouteAdmission::Offered RouteAdmission::wait(ShardIndex shard, Item item, Delivery& delivery,
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
    item.ack = delivery.defer();
    waiters_.push_back({std::move(item), now_ms + options_.block_ms});
    waiting_bytes_ += bytes;
    count(shard, 1, static_cast<int64_t>(bytes));
    return Offered::waiting;
}

void RouteAdmission::admit(ShardIndex shard, uint64_t now_ms) {
    while (!waiters_.empty()) {
        const size_t bytes = waiters_.front().item.size();
        const bool is_late = waiters_.front().item.has_expired(now_ms);
        if (!is_late && !fits(bytes)) return;
        Item item = std::move(waiters_.pop_front().item);
        waiting_bytes_ -= bytes;
        count(shard, -1, -static_cast<int64_t>(bytes));
        if (is_late) {
            turned_away(item);
            ledger_.drop(shard, DropReason::expired);
            item.ack.settle(options_.worker_acks ? Outcome::timed_out : Outcome::accepted);
            continue;
        }
        Ack ack;
        if (!options_.worker_acks) ack = std::move(item.ack);
        enqueue(shard, std::move(item));
        ack.settle(Outcome::accepted);
    }
    waiters_.shrink();
}

void RouteAdmission::refuse_overdue(ShardIndex shard, uint64_t now_ms) {
    while (!waiters_.empty() && waiters_.front().due_ms <= now_ms) refuse_first_waiter(shard);
}

void RouteAdmission::refuse_waiters(ShardIndex shard) {
    while (!waiters_.empty()) refuse_first_waiter(shard);
}

void RouteAdmission::refuse_first_waiter(ShardIndex shard) {
    Item item = std::move(waiters_.pop_front().item);
    const size_t bytes = item.size();
    waiting_bytes_ -= bytes;
    count(shard, -1, -static_cast<int64_t>(bytes));
    turned_away(item);
    ledger_.refuse(shard);
    item.ack.settle(Outcome::queue_full);
}

uint64_t RouteAdmission::next_due_ms() const {
    return waiters_.empty() ? kNothing : waiters_[0].due_ms;
}

}  // namespace trestle
