// The hub: the one topic space, with MQTT semantics, for every protocol.
//
// `Hub` is shared; `HubShard` is one shard's part of it and is used on that shard only. Publishing
// matches the topic (mostly from a cache), delivers to the shard's own subscribers on the same
// stack, offers the message to the routes, and copies it once per other shard that has subscribers;
// those match it again for themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/hand_over.h"
#include "core/match.h"
#include "core/retained.h"
#include "core/retained_turns.h"
#include "core/session_bytes.h"
#include "core/subscriber.h"
#include "core/subscription_index.h"
#include "core/tap.h"
#include "core/timer_queue.h"

namespace trestle {

class Hub;
class SessionTable;

/// What `publish` says at once.
struct PublishResult {
    Outcome outcome = Outcome::accepted;
    bool pending = false;  ///< the outcome comes later, through the AckReceiver
};

class HubShard {
 public:
    /// Takes messages to other shards. Called on this shard.
    class Carrier {
     public:
        virtual ~Carrier() = default;
        /// Something is to be carried at the end of this turn, then `outgoing_taken` is called.
        virtual void carry_soon() = 0;
        /// There is much for this one already: it need not wait.
        virtual void carry(ShardIndex to) = 0;
    };

    HubShard(Hub& hub, ShardIndex index, Executor& executor, TimerQueue& timers, Carrier& carrier);
    ~HubShard();

    /// Delivers to everybody who wants the topic. `waiter` may be null: then nobody is told of an
    /// outcome that comes later. The topic is a valid topic name.
    PublishResult publish(const MessageView& message, Publisher& from,
                          const std::weak_ptr<AckReceiver>* waiter = nullptr, uint64_t token = 0);

    /// Returns true when the subscriber had the filter already. The filter is valid; `$share/`
    /// filters are given in their two parts.
    bool subscribe(Subscriber& subscriber, std::string_view filter,
                   const SubscribeOptions& options);
    bool subscribe_shared(Subscriber& subscriber, std::string_view group, std::string_view filter,
                          const SubscribeOptions& options,
                          std::shared_ptr<MemberState> state = nullptr);
    bool unsubscribe(Subscriber& subscriber, std::string_view filter);
    bool unsubscribe_shared(Subscriber& subscriber, std::string_view group,
                            std::string_view filter);

    /// A member of a shared group has ended without having acknowledged this: another member gets
    /// it. False when there is none.
    bool pass_on(uint32_t group, const MessagePtr& message);

    /// What is on its way to other shards, by shard; the carrier takes it.
    std::vector<HandOver>& outgoing() { return outgoing_; }
    void outgoing_taken() { outgoing_any_ = false; }
    /// Delivers what another shard has handed over to this shard's subscribers.
    void take_over(const HandOver& incoming);

    [[nodiscard]] ShardIndex index() const { return index_; }
    [[nodiscard]] uint64_t now_ms() const { return now_ms_; }
    void set_now(uint64_t now_ms) { now_ms_ = now_ms; }
    [[nodiscard]] Hub& hub() { return hub_; }
    [[nodiscard]] TimerQueue& timers() { return timers_; }
    [[nodiscard]] SessionTable& sessions() { return *sessions_; }
    [[nodiscard]] SessionBytes::Share& session_bytes() { return session_bytes_; }
    [[nodiscard]] Executor& executor() { return executor_; }
    /// What has been done for peers here, in units of about a delivery: so that who reads from them
    /// can stop before one of them has the shard for long.
    [[nodiscard]] uint64_t work() const { return work_; }
    void add_work(size_t units) { work_ += units; }
    [[nodiscard]] RetainedTurns& retained_turns() { return retained_turns_; }

 private:
    static constexpr size_t kCarryAt = 32 * 1024;  // bytes; the other shard may begin then

    /// `memo` is the publisher's; a result that is too large for it is held by `large`.
    MatchResult& match(std::string_view topic, MatchPtr& memo, MatchPtr& large);
    void keep_retained(Delivery& delivery);
    bool deliver_local(MatchResult& match, Delivery& delivery);
    bool deliver_shared(const MatchResult& match, Delivery& delivery);
    void hand_to_route(const RoutePtr& route, const std::string& key, Delivery& delivery);
    bool give_to_next(const MatchResult::Shared& shared, Delivery& delivery);
    void give_to(const MatchResult::Shared& shared, size_t place, Delivery& delivery, bool final);
    void give_to_route(const MatchResult::Shared& shared, size_t place, Delivery& delivery);
    void deliver_targeted(const MatchResult& match, const SharedTarget& target, Delivery& delivery);
    bool offer_routes(const MatchResult& match, Delivery& delivery);
    void hand_over(ShardIndex shard, const Delivery& delivery, const SharedTarget* to);

    Hub& hub_;
    ShardIndex index_;
    Executor& executor_;
    TimerQueue& timers_;
    uint64_t now_ms_ = 0;
    uint64_t work_ = 0;
    MatchCache cache_;
    EncodedForms forms_;
    RetainedTurns retained_turns_;
    SessionBytes::Share& session_bytes_;
    std::unique_ptr<SessionTable> sessions_;
    Carrier& carrier_;
    std::vector<HandOver> outgoing_;
    bool outgoing_any_ = false;
};

/// What the hub itself counts; null: nobody asks.
struct HubCounters {
    Counter* retained_refused = nullptr;
    Counter* shared_lost = nullptr;
};

class Hub {
 public:
    static constexpr size_t kMostShards = 64;
    static constexpr uint8_t kMostHops = 8;

    explicit Hub(size_t shards, const RetainedLimits& retained = {},
                 size_t max_session_bytes = SessionBytes::kDefaultMost)
        : lock_(shards),
          retained_(std::make_unique<RetainedTree>(retained)),
          session_bytes_(shards, max_session_bytes),
          shards_(shards) {}

    /// Before traffic flows.
    void count_in(const HubCounters& counters) { counters_ = counters; }
    [[nodiscard]] RetainedStore& retained() { return *retained_; }
    [[nodiscard]] SessionBytes& session_bytes() { return session_bytes_; }

    [[nodiscard]] size_t shards() const { return shards_; }
    [[nodiscard]] size_t subscriptions() const { return index_.subscriptions(); }
    [[nodiscard]] size_t shared_subscriptions() const { return index_.shared(); }
    /// Replaces the outward routes; those that are in both tables keep their place. From any
    /// thread.
    void set_routes(std::vector<RoutePtr> routes);
    /// From now on the tap is shown what matches its filter. From any thread but a shard's.
    void add_tap(TapPtr tap);
    void remove_tap(const Tap& tap);

 private:
    friend class HubShard;
    void add_route(size_t number);
    void remove_route(size_t number);

    IndexLock lock_;
    SubscriptionIndex index_;
    RouteTable routes_;
    std::vector<TapPtr> taps_;
    std::unique_ptr<RetainedStore> retained_;
    SessionBytes session_bytes_;
    HubCounters counters_;
    size_t shards_;
};

}  // namespace trestle
