// Shared subscriptions: the members of one group, of which exactly one gets each message
// (MQTT 5.0, 4.8.2).
//
// A group is immutable: a change makes a new one under the index's lock, so that every topic's
// cached match can hold it; the two share nearly all of their clients. What changes all the time,
// whose turn it is and who can take messages now, lies in atomics beside it. A session's pointer is
// followed on its own shard only, out of a match that is valid there; other shards name it by its
// number. A route is a member on every shard, but only for topics that its whole template matches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/counters.h"
#include "core/route.h"
#include "core/shared_list.h"
#include "core/subscriber.h"

namespace trestle {

/// Names a subscriber from any thread; resolved on its own shard only.
struct SubscriberRef {
    Subscriber* subscriber = nullptr;
    ShardIndex shard = 0;
    bool operator==(const SubscriberRef&) const = default;
    struct Hash {
        size_t operator()(const SubscriberRef& one) const {
            return std::hash<const void*>()(one.subscriber) ^ one.shard;
        }
    };
};

/// A route among the members, whose template matches the topic in question.
struct RoutedMember {
    size_t place = 0;
    std::string key;
};

struct SharedGroup {
    struct Client {
        SubscriberRef who;
        SubscribeOptions options;
        std::shared_ptr<MemberState> state;
    };
    /// What stays while members come and go.
    struct Lasting {
        std::string name;
        std::atomic<uint32_t> turn{0};
    };
    std::shared_ptr<Lasting> lasting;
    uint32_t number = 0;  ///< unique in the index while the group exists
    // The members, never none: a place is that of a client, or behind them that of a route.
    SharedList<Client> clients;
    std::vector<RoutePtr> routes;

    [[nodiscard]] size_t size() const { return clients.size() + routes.size(); }
    /// Null when a client is there.
    [[nodiscard]] const Route* route_at(size_t place) const {
        return place < clients.size() ? nullptr : routes[place - clients.size()].get();
    }
    [[nodiscard]] MemberState::Readiness readiness_at(size_t place) const {
        const auto& state = place < clients.size() ? clients[place].state
                                                   : routes[place - clients.size()]->member();
        return state->readiness.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_ready(size_t place) const {
        return readiness_at(place) == MemberState::ready;
    }

    static constexpr size_t kNobody = SIZE_MAX;
    /// The place of the next in turn; those that are busy or away are passed over while others, of
    /// the next few dozen, can take it. Of the routes only those `routed` count, and none that
    /// leads to `origin`; if that leaves no member: kNobody.
    [[nodiscard]] size_t choose(std::span<const RoutedMember> routed = {},
                                EndpointId origin = 0) const;
    /// The client of that number if it is still at this place, else null.
    [[nodiscard]] const Client* client_at(size_t place, uint64_t member) const;
};

using SharedGroupPtr = std::shared_ptr<const SharedGroup>;

}  // namespace trestle
