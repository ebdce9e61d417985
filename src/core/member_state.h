// What all shards see of a member of some shared group: whether it can take a message now.
//
// Owned by the member (a session, a route) and by the groups that it is in. Written by whoever
// knows, read by whoever chooses; no thread waits for another.
#pragma once

#include <atomic>
#include <cstdint>

namespace trestle {

struct MemberState {
    enum Readiness : uint8_t {
        away,   ///< not connected; of a route: it has no worker
        busy,   ///< has enough to do: its window or connection is full
        ready,  ///< takes a message at once
    };
    uint64_t number = 0;  ///< given by the index when it first joins a group; never used again
    std::atomic<Readiness> readiness{ready};
};

}  // namespace trestle
