// Who gets into the bounded queue of one route, who waits, who is refused: the policies of `queue`
// and the route's books. What the queue looks like inside is its heir's: a row in front of a busy
// socket (core/route_queue.h), or jobs that workers lease.
//
// Owned by an endpoint and guarded by it: not thread-safe, but usable from any shard's thread; each
// call names the shard whose cells it counts in. From `offer` on, every copy is in the queue's
// gauges until it leaves by a fate.
//
// In the queue proper a message is accepted: its publisher has been told, unless it waits for a
// worker (`"ack": "worker"`); then the item keeps its Ack. A message that finds the queue full
// under `block` waits outside the bound, with its publisher's Ack, and moves in when there is room
// or is refused after `block_ms`. Times are milliseconds of the steady clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/ack.h"
#include "core/ledger.h"
#include "core/message.h"
#include "core/ring.h"
#include "core/route.h"
#include "core/subscriber.h"

namespace trestle {

class RouteAdmission {
 public:
    struct Item {
        MessagePtr message;
        std::string key;
        std::string client;  ///< who published; empty when the sink does not care
        std::string user;
        uint64_t entered_ms = 0;
        Ack ack;                      ///< of a publisher that waits for more than a place
        Qos qos = Qos::at_most_once;  ///< the message's, at most the route's

        [[nodiscard]] size_t size() const { return message->view().size() + key.size(); }
        [[nodiscard]] bool has_expired(uint64_t now_ms) const {
            return message->view().expires_at_ms <= now_ms;
        }
    };
    /// What became of a message that was offered.
    enum class Offered : uint8_t { queued, waiting, refused, dropped };

    /// Waiters of one route, beside the publishers' own windows.
    static constexpr size_t kMostWaiters = 65'536;
    /// Their bytes: as much again as the queue, and at least this.
    static constexpr size_t kLeastWaitingBytes = 16u << 20;

    RouteAdmission(const RouteOptions& options, const RouteLedger& ledger);
    virtual ~RouteAdmission() = default;
    RouteAdmission(const RouteAdmission&) = delete;
    RouteAdmission& operator=(const RouteAdmission&) = delete;

    /// New limits at a reload; what is in the queue already stays.
    void set_options(const RouteOptions& options) { options_ = options; }
    [[nodiscard]] const RouteOptions& options() const { return options_; }
    [[nodiscard]] const RouteLedger& ledger() const { return ledger_; }

    /// Takes one copy over and settles what its publisher is told. `with_publisher`: the item is to
    /// say who published.
    Offered offer(ShardIndex shard, std::string_view key, bool with_publisher, Delivery& delivery,
                  uint64_t now_ms);

    /// Refuses the waiters whose time is up.
    void refuse_overdue(ShardIndex shard, uint64_t now_ms);
    static constexpr uint64_t kNothing = UINT64_MAX;
    /// When `refuse_overdue` has to be called next.
    [[nodiscard]] uint64_t next_due_ms() const;

    /// Whether a message of so many bytes, with its key, would get a place at once.
    [[nodiscard]] bool has_room_for(size_t bytes) const { return fits(bytes) && waiters_.empty(); }
    [[nodiscard]] bool empty() const { return count_ == 0 && waiters_.empty(); }
    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] size_t bytes() const { return bytes_; }
    [[nodiscard]] size_t waiting() const { return waiters_.size(); }

 protected:
    // What an heir does. None of them is called from inside another.

    /// Keeps an item that has got a place.
    virtual void store(Item item) = 0;
    /// Drops the oldest item (of QoS 0), counted as `queue_full`; there is one.
    virtual void drop_oldest(ShardIndex shard, bool only_qos0) = 0;
    /// Drops what has expired, unless it looked a moment ago.
    virtual void drop_expired(ShardIndex shard, uint64_t now_ms) = 0;
    /// One that has waited leaves without a place; its publisher is told after this.
    virtual void turned_away(const Item& /*item*/) {}

    // What an heir calls.

    /// An item of its own is in the queue again, or leaves it.
    void enter_books(ShardIndex shard, const Item& item);
    void leave_books(ShardIndex shard, const Item& item);
    /// There is room.
    void admit_waiters(ShardIndex shard, uint64_t now_ms) {
        if (!waiters_.empty()) [[unlikely]]
            admit(shard, now_ms);
    }
    void refuse_waiters(ShardIndex shard);

 private:
    struct Waiter {
        Item item;
        uint64_t due_ms = 0;
    };

    [[nodiscard]] bool fits(size_t bytes) const {
        return count_ < options_.max_messages && bytes_ + bytes <= options_.max_bytes;
    }
    Item make_item(std::string_view key, bool with_publisher, Delivery& delivery, uint64_t now_ms);
    void enqueue(ShardIndex shard, Item item);
    Offered drop_offered(ShardIndex shard, Delivery& delivery, DropReason reason, Outcome outcome);
    Offered make_room_and_enqueue(ShardIndex shard, Item item, Delivery& delivery, bool only_qos0);
    Offered wait(ShardIndex shard, Item item, Delivery& delivery, uint64_t now_ms);
    void admit(ShardIndex shard, uint64_t now_ms);
    void refuse_first_waiter(ShardIndex shard);
    void count(ShardIndex shard, int64_t messages, int64_t bytes) const;

    RouteOptions options_;
    RouteLedger ledger_;
    size_t count_ = 0;
    size_t bytes_ = 0;
    size_t qos0_count_ = 0;
    size_t qos0_bytes_ = 0;
    Ring<Waiter> waiters_;
    size_t waiting_bytes_ = 0;
};

}  // namespace trestle
