// Pauses for 3.1.1 clients whose message could not be taken: that version cannot say no, so the
// connection is closed, and the client would come back at once and send the same again. Each time
// it waits longer for its CONNACK. One table per shard; bounded: when it is full of pauses that
// still run, further clients get none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace trestle::mqtt {

class Pauses {
 public:
    static constexpr uint64_t kFirstMs = 1'000;
    static constexpr uint64_t kLongestMs = 30'000;
    static constexpr uint64_t kForgottenMs = 300'000;  // after its end a pause counts no more
    static constexpr size_t kMostClients = 10'000;

    /// One more message of this client could not be taken.
    void add(std::string_view client_id, uint64_t now_ms);
    /// Until when the client waits; 0: not at all.
    [[nodiscard]] uint64_t until(std::string_view client_id) const;

 private:
    struct Pause {
        uint64_t length_ms = 0;
        uint64_t until_ms = 0;
    };
    std::unordered_map<std::string, Pause> clients_;
};

}  // namespace trestle::mqtt
