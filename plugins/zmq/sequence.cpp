#include "zmq/sequence.h"

#include <algorithm>
#include <utility>

namespace trestle::zmq {

std::array<char, 16> SequenceNumber::frame() const {
    std::array<char, 16> bytes{};
    for (size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<char>(epoch >> (56 - 8 * i));
        bytes[i + 8] = static_cast<char>(number >> (56 - 8 * i));
    }
    return bytes;
}

std::string SequenceNumber::json() const {
    return "[" + std::to_string(epoch) + "," + std::to_string(number) + "]";
}

SequenceNumber Sequences::next(std::string_view key, uint64_t now_us) {
    if (const auto known = young_.find(key); known != young_.end()) {
        ++known->second.number;
        return known->second;
    }
    if (young_.size() >= most_young_) old_ = std::exchange(young_, {});
    SequenceNumber count;
    if (const auto known = old_.find(key); known != old_.end()) {
        count = known->second;
        old_.erase(known);
    } else {
        count.epoch = last_epoch_ = std::max(now_us, last_epoch_ + 1);
    }
    ++count.number;
    young_.emplace(key, count);
    return count;
}

}  // namespace trestle::zmq
