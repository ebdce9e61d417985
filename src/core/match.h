// What one topic matches, as one shard sees it, and the cache of that.
//
// Made under the index's reader lock at a miss, then used without any lock for as long as the
// generation of the topic's bucket stays the same. Pointers to this shard's own subscribers stay
// valid that long: a subscriber leaves the index before it dies. Routes are held.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/route.h"
#include "core/subscription_index.h"

namespace trestle {

using RouteTable = std::vector<RoutePtr>;  // by route number; removed ones are null

struct MatchResult : boost::intrusive_ref_counter<MatchResult, boost::thread_unsafe_counter> {
    struct Local {
        Subscriber* subscriber;
        bool some_no_local;  ///< one of the merged subscriptions asked for "no local"
        SubscriptionMatch match;
    };
    struct Routed {
        RoutePtr route;
        std::string key;  ///< rendered once per topic
    };

    std::string topic;
    size_t bucket = 0;
    uint64_t generation = 0;
    std::vector<Local> local;
    std::vector<Routed> routes;
    std::vector<SharedGroupPtr> shared;  ///< of each, exactly one member gets the message
    uint64_t other_shards = 0;           ///< bit per shard that has subscribers for the topic
    size_t bytes = 0;                    ///< about the memory that it takes

    [[nodiscard]] bool nobody() const {
        return local.empty() && routes.empty() && shared.empty() && other_shards == 0;
    }
    [[nodiscard]] bool valid_for(std::string_view wanted, const SubscriptionIndex& index) const {
        return generation == index.generation(bucket) && topic == wanted;
    }
};

using MatchPtr = boost::intrusive_ptr<MatchResult>;

/// Looks the topic up; the caller holds the reader lock of `shard`.
MatchPtr make_match(std::string_view topic, const SubscriptionIndex& index,
                    const RouteTable& routes, ShardIndex shard);

/// The options that apply to a publisher which subscribes itself: its "no local" subscriptions do
/// not count. Slow path, looks the topic up again; false when nothing is left.
bool match_without_no_local(std::string_view topic, const SubscriptionIndex& index,
                            const Subscriber* self, SubscriptionMatch& out);

/// A table of the topics seen last, one slot per hash. Starts anew when it holds too much: topics
/// can be long, and each may have thousands of subscribers.
class MatchCache {
 public:
    static constexpr size_t kMostBytes = 64u << 20;
    /// Publishers keep a result of their own up to this size; there are many of them.
    static constexpr size_t kMostKept = 4096;

    [[nodiscard]] const MatchPtr& slot(size_t hash) const { return slots_[hash % kSlots]; }
    void put(size_t hash, MatchPtr result);
    [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
    static constexpr size_t kSlots = 8192;
    std::vector<MatchPtr> slots_ = std::vector<MatchPtr>(kSlots);
    size_t bytes_ = 0;
};

}  // namespace trestle
