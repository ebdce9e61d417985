// How many peers of a socket have completed the handshake, from its monitor events.
//
// The event for a completed handshake does not say on which connection it was. But a connection
// that is older than a handshake may take is a peer, or libzmq would have closed it. Among younger
// ones as many count as handshakes were told of and are not accounted for: a moment's mistake is
// possible there, and it is gone when they have come of age. Lives on the endpoint's home shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

namespace trestle::zmq {

class PeerCount {
 public:
    explicit PeerCount(uint64_t handshake_ms) : of_age_ms_(handshake_ms + kSlackMs) {}

    void on_event(uint16_t event, uint32_t value, uint64_t now_ms);
    /// Connections come of age; due at `next_due_ms`.
    void pass_time(uint64_t now_ms);
    static constexpr uint64_t kNothing = UINT64_MAX;
    [[nodiscard]] uint64_t next_due_ms() const {
        return births_.empty() ? kNothing : births_.front().first + of_age_ms_;
    }
    [[nodiscard]] size_t peers() const {
        return old_ + (young_ < handshakes_ ? young_ : handshakes_);
    }

    /// libzmq's own clock may be a little late.
    static constexpr uint64_t kSlackMs = 500;

 private:
    struct Connection {
        uint64_t born_ms = 0;
        bool is_old = false;
    };
    void forget(uint32_t descriptor);
    void one_young_less();

    uint64_t of_age_ms_;
    std::unordered_map<uint32_t, Connection> connections_;  // by descriptor
    std::deque<std::pair<uint64_t, uint32_t>> births_;      // of young ones, some gone by now
    size_t old_ = 0;
    size_t young_ = 0;
    size_t handshakes_ = 0;  // completed, of young connections
    size_t failures_ = 0;    // of young connections that are about to close
};

}  // namespace trestle::zmq
