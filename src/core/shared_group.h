// Shared subscriptions: the members of one group, of which exactly one gets each message
// (MQTT 5.0, 4.8.2).
//
// A group is immutable: a change makes a new one under the index's lock, so that every topic's
// cached match can hold it. What changes all the time, whose turn it is and who can take messages
// now, lies in atomics beside it. A member's pointer is followed on its own shard only, out of a
// match that is valid there; other shards name a member by its number.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/counters.h"
#include "core/subscriber.h"

namespace trestle {

/// Names a subscriber from any thread; resolved on its own shard only.
struct SubscriberRef {
    Subscriber* subscriber = nullptr;
    ShardIndex shard = 0;
    bool operator==(const SubscriberRef&) const = default;
};

/// What other shards see of a subscriber that is a member of some group.
struct MemberState {
    enum Readiness : uint8_t {
        away,   ///< not connected
        busy,   ///< has enough to do: its window or connection is full
        ready,  ///< takes a message at once
    };
    uint64_t number = 0;  ///< given by the index when it first joins a group; never used again
    std::atomic<Readiness> readiness{ready};
};

struct SharedGroup {
    struct Member {
        SubscriberRef who;
        SubscribeOptions options;
        std::shared_ptr<MemberState> state;
        [[nodiscard]] bool is_ready() const {
            return state->readiness.load(std::memory_order_relaxed) == MemberState::ready;
        }
    };
    std::string name;
    uint32_t number = 0;  ///< unique in the index while the group exists
    std::shared_ptr<std::atomic<uint32_t>> turn = std::make_shared<std::atomic<uint32_t>>(0);
    std::vector<Member> members;  ///< never empty

    /// The place of the next in turn; those that are busy or away are passed over while others, of
    /// the next few dozen, can take it.
    [[nodiscard]] size_t choose() const;
    /// That member, null if it is gone; it is probably at `guess`.
    [[nodiscard]] const Member* find(uint64_t member, size_t guess) const;
};

using SharedGroupPtr = std::shared_ptr<const SharedGroup>;

}  // namespace trestle
