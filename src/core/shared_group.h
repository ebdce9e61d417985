// Shared subscriptions: the members of one group, of which exactly one gets each message
// (MQTT 5.0, 4.8.2).
//
// A group is immutable: a change makes a new one under the index's lock, so that every topic's
// cached match can hold it. What changes all the time, whose turn it is and who can take messages
// now, lies in atomics beside it. A session's pointer is followed on its own shard only, out of a
// match that is valid there; other shards name it by its number. A route is a member on every
// shard, but only for topics that its whole template matches.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/counters.h"
#include "core/route.h"
#include "core/subscriber.h"

namespace trestle {

/// Names a subscriber from any thread; resolved on its own shard only.
struct SubscriberRef {
    Subscriber* subscriber = nullptr;
    ShardIndex shard = 0;
    bool operator==(const SubscriberRef&) const = default;
};

/// A route among the members, whose template matches the topic in question.
struct RoutedMember {
    size_t place = 0;
    std::string key;
};

struct SharedGroup {
    struct Member {
        SubscriberRef who;  ///< nobody when it is a route
        SubscribeOptions options;
        std::shared_ptr<MemberState> state;
        RoutePtr route;  ///< null when it is a session
        [[nodiscard]] bool is_ready() const {
            return state->readiness.load(std::memory_order_relaxed) == MemberState::ready;
        }
    };
    std::string name;
    uint32_t number = 0;  ///< unique in the index while the group exists
    std::shared_ptr<std::atomic<uint32_t>> turn = std::make_shared<std::atomic<uint32_t>>(0);
    std::vector<Member> members;  ///< never empty
    size_t routes = 0;            ///< of the members

    static constexpr size_t kNobody = SIZE_MAX;
    /// The place of the next in turn; those that are busy or away are passed over while others, of
    /// the next few dozen, can take it. Of the routes only those `routed` count, and none that
    /// leads to `origin`; if that leaves no member: kNobody.
    [[nodiscard]] size_t choose(std::span<const RoutedMember> routed = {},
                                EndpointId origin = 0) const;
    /// That member, null if it is gone; it is probably at `guess`.
    [[nodiscard]] const Member* find(uint64_t member, size_t guess) const;
};

using SharedGroupPtr = std::shared_ptr<const SharedGroup>;

}  // namespace trestle
