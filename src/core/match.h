// What one topic matches, as one shard sees it, and the cache of that.
//
// Made under the index's reader lock at a miss, then used without any lock for as long as the
// generation of the topic's bucket stays the same. Pointers to this shard's own subscribers stay
// valid that long: a subscriber leaves the index before it dies. Routes are held.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/route.h"
#include "core/subscription_index.h"
#include "core/tap.h"
#include "core/with_text.h"

namespace trestle {

using RouteTable = std::vector<RoutePtr>;  // by route number; removed ones are null

struct MatchResult;
using MatchBlock = WithText<MatchResult, 8>;

/// Always made with the topic behind it, as MatchBlock.
struct MatchResult {
    struct Local {
        Subscriber* subscriber;
        bool some_no_local;  ///< one of the merged subscriptions asked for "no local"
        SubscriptionMatch match;
    };
    struct Routed {
        RoutePtr route;
        std::string key;  ///< rendered once per topic
    };

    /// A group, and those of the routes among its members that match.
    struct Shared {
        const SharedGroup& group;
        size_t place;  ///< of the group in `shared`
        std::span<const RoutedMember> routes;
    };
    [[nodiscard]] Shared shared_at(size_t place) const {
        const bool has_routes = place < shared_routes.size();
        return {*shared[place], place,
                has_routes ? std::span<const RoutedMember>(shared_routes[place])
                           : std::span<const RoutedMember>()};
    }
    std::vector<std::vector<RoutedMember>> shared_routes;  ///< beside `shared`; perhaps shorter

    uint32_t references = 0;  // of one shard
    uint32_t bytes = 0;       ///< about the memory that it takes
    uint32_t places = 0;      ///< of the index that were looked at to find it
    uint64_t generation = 0;
    uint64_t hash = 0;          ///< of the topic
    uint64_t other_shards = 0;  ///< bit per shard that has subscribers for the topic
    boost::container::small_vector<Local, 1> local;
    std::vector<Routed> routes;
    std::vector<SharedGroupPtr> shared;         ///< of each, exactly one member gets the message
    std::unique_ptr<std::vector<TapPtr>> taps;  ///< who looks at it; mostly nobody

    [[nodiscard]] std::string_view topic() const;
    [[nodiscard]] bool valid_for(std::string_view wanted, const SubscriptionIndex& index) const {
        return generation == index.generation(SubscriptionIndex::bucket_of(hash)) &&
               topic() == wanted;
    }
};

inline std::string_view MatchResult::topic() const {
    return static_cast<const MatchBlock*>(this)->text();
}

inline void intrusive_ptr_add_ref(MatchResult* result) noexcept { ++result->references; }
inline void intrusive_ptr_release(MatchResult* result) noexcept {
    if (--result->references != 0) return;
    MatchBlock::destroy(static_cast<MatchBlock*>(result));
}

/// Looks the topic up, whose hash this is; the caller holds the reader lock of `shard`.
MatchPtr make_match(std::string_view topic, uint64_t hash, const SubscriptionIndex& index,
                    const RouteTable& routes, ShardIndex shard);

/// The options that apply to a publisher which subscribes itself: its "no local" subscriptions do
/// not count. Slow path, looks the topic up again; false when nothing is left.
bool match_without_no_local(std::string_view topic, const SubscriptionIndex& index,
                            const Subscriber* self, SubscriptionMatch& out);

/// A table of the topics seen last, in sets of four that lie on one cache line: what is not in its
/// set is not there. Grows as it fills, and starts anew when it holds too much: topics can be long,
/// and each may have thousands of subscribers.
class MatchCache {
 public:
    static constexpr size_t kMostBytes = 64u << 20;
    static constexpr size_t kMostTopics = 65'536;
    /// Publishers keep a result of their own up to this size; there are many of them.
    static constexpr size_t kMostKept = 4096;

    MatchCache() : sets_(kFewestSets) {}
    /// Null when there is none with this hash. It may be of another topic, or out of date.
    [[nodiscard]] const MatchPtr& find(uint64_t hash) const;
    void put(MatchPtr result);
    [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
    static constexpr size_t kWays = 4;
    static constexpr size_t kFewestSets = 64;
    static constexpr size_t kMostSets = kMostTopics / kWays;
    struct alignas(64) Set {
        std::array<uint64_t, kWays> hashes{};
        std::array<MatchPtr, kWays> results;
    };
    // The index's tables use the lower bits.
    [[nodiscard]] size_t place(uint64_t hash) const { return (hash >> 32) & (sets_.size() - 1); }
    bool put_if_room(MatchPtr& result);
    void grow();
    void clear();

    std::vector<Set> sets_;
    size_t bytes_ = 0;
    size_t turn_ = 0;  // whose turn it is to leave a full set
};

}  // namespace trestle
