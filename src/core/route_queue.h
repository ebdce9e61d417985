// The bounded queue of one route, in front of a sink that can be busy (a push socket, workers).
//
// Owned by an endpoint and guarded by it: not thread-safe, but usable from any shard's thread; each
// call names the shard whose cells it counts in. It keeps the route's books: from `offer` on, every
// copy is in the queue's gauges until it ends as sent, refused or dropped.
//
// In the queue proper a message is accepted: its publisher has been told. A message that finds the
// queue full under `block` waits outside the bound, with its publisher's Ack, and moves in when
// there is room or is refused after `block_ms`. Order is kept among messages of QoS 1 and 2, and
// among those of QoS 0. Times are milliseconds of the steady clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ledger.h"
#include "core/message.h"
#include "core/ring.h"
#include "core/route.h"
#include "core/subscriber.h"

namespace trestle {

class RouteQueue {
 public:
    struct Item {
        MessagePtr message;
        std::string key;
        std::string client;  ///< who published; empty when the sink does not care
        uint64_t entered_ms = 0;
        Qos qos = Qos::at_most_once;  ///< the message's, at most the route's

        [[nodiscard]] size_t size() const { return message->view().size() + key.size(); }
    };
    /// What became of a message that was offered.
    enum class Offered : uint8_t { queued, waiting, refused, dropped };

    /// Waiters of one route, beside the publishers' own windows.
    static constexpr size_t kMostWaiters = 65'536;
    /// Their bytes: as much again as the queue, and at least this.
    static constexpr size_t kLeastWaitingBytes = 16u << 20;

    RouteQueue(const RouteOptions& options, const RouteLedger& ledger);
    RouteQueue(const RouteQueue&) = delete;
    RouteQueue& operator=(const RouteQueue&) = delete;

    /// New limits at a reload; what is in the queue already stays.
    void set_options(const RouteOptions& options) { options_ = options; }

    /// Takes one copy over and settles what its publisher is told.
    Offered offer(ShardIndex shard, std::string_view key, std::string_view client,
                  Delivery& delivery, uint64_t now_ms);

    /// The next to be sent, null when there is none; drops what has expired. Good until the next
    /// call.
    const Item* front(ShardIndex shard, uint64_t now_ms);
    /// The sink has taken `front()` for good.
    void front_sent(ShardIndex shard, uint64_t now_ms);

    /// Refuses the waiters whose time is up.
    void refuse_overdue(ShardIndex shard, uint64_t now_ms);
    static constexpr uint64_t kNothing = UINT64_MAX;
    /// When `refuse_overdue` has to be called next.
    [[nodiscard]] uint64_t next_due_ms() const;

    /// Drops everything that is queued, for this reason, and refuses those who wait.
    void drop_all(ShardIndex shard, DropReason reason);

    [[nodiscard]] bool empty() const { return count_ == 0 && waiters_.empty(); }
    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] size_t bytes() const { return bytes_; }
    [[nodiscard]] size_t waiting() const { return waiters_.size(); }

 private:
    struct Waiter {
        Item item;
        Ack ack;
        uint64_t due_ms = 0;
    };

    [[nodiscard]] bool fits(size_t bytes) const {
        return count_ < options_.max_messages && bytes_ + bytes <= options_.max_bytes;
    }
    void enqueue(ShardIndex shard, Item item);
    Offered wait(ShardIndex shard, Item item, Delivery& delivery, uint64_t now_ms);
    Offered make_room_and_enqueue(ShardIndex shard, Item item, bool only_qos0);
    void admit_waiters(ShardIndex shard, uint64_t now_ms);
    void drop_expired(ShardIndex shard, uint64_t now_ms);
    void drop_at(ShardIndex shard, size_t place, DropReason reason);
    void remove_at(ShardIndex shard, size_t place);
    void forget(ShardIndex shard, const Item& item);
    void keep(Item item);
    void leave_books(ShardIndex shard, size_t bytes) const;
    void trim();
    void compact();
    void refuse_first_waiter(ShardIndex shard);

    RouteOptions options_;
    RouteLedger ledger_;
    // Removed ones stay as gaps (no message) until they come to the front or `compact` runs.
    Ring<Item> items_;
    size_t count_ = 0;  // without gaps
    size_t bytes_ = 0;
    size_t peak_ = 0;  // slots used since it was empty
    // Places of the QoS 0 items, counted from the first item ever queued, oldest first.
    Ring<uint64_t> qos0_;
    size_t qos0_bytes_ = 0;
    uint64_t popped_ = 0;                          // slots that have left `items_` at its front
    uint64_t earliest_expiry_ms_ = kNeverExpires;  // at most that of the first to expire
    uint64_t next_sweep_ms_ = 0;
    Ring<Waiter> waiters_;
    size_t waiting_bytes_ = 0;
};

}  // namespace trestle
