// Connections of one socket by the number in which they came, as descriptors are used again and
// again. Fed from monitor events; lives with its monitor.
#pragma once

#include <zmq.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>

namespace trestle::zmq {

class ConnectionNumbers {
 public:
    /// The number of the connection that the event has ended; 0: none.
    uint64_t on_event(uint16_t event, uint32_t descriptor) {
        if ((event & (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED)) != 0) {
            uint64_t& number = numbers_[descriptor];
            const uint64_t before = number;  // closed unheard
            number = ++last_;
            return before;
        }
        if (event != ZMQ_EVENT_DISCONNECTED) return 0;
        const auto found = numbers_.find(descriptor);
        if (found == numbers_.end()) return 0;
        const uint64_t number = found->second;
        numbers_.erase(found);
        return number;
    }
    /// 0: not known.
    [[nodiscard]] uint64_t of(uint32_t descriptor) const {
        const auto found = numbers_.find(descriptor);
        return found == numbers_.end() ? 0 : found->second;
    }
    /// Calls `visit(descriptor, number)` for all connections that are open.
    template <class F>
    void each(F&& visit) const {
        for (const auto& [descriptor, number] : numbers_) visit(descriptor, number);
    }
    /// Whether this is so for the numbers of all connections that are open.
    template <class F>
    [[nodiscard]] bool all_of(F&& holds) const {
        return std::ranges::all_of(numbers_, [&](const auto& one) { return holds(one.second); });
    }

 private:
    std::unordered_map<uint32_t, uint64_t> numbers_;
    uint64_t last_ = 0;
};

}  // namespace trestle::zmq
