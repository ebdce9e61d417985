#include "zmq/peer_count.h"

#include <zmq.h>

namespace trestle::zmq {

namespace {

constexpr int kHandshakeFailed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

void PeerCount::on_event(uint16_t event, uint32_t value, uint64_t now_ms) {
    if ((event & (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED)) != 0) {
        forget(value);  // a descriptor that is used anew was closed before
        connections_[value] = {now_ms, false};
        births_.emplace_back(now_ms, value);
        ++young_;
    } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        if (young_ > 0) ++handshakes_;
    } else if ((event & kHandshakeFailed) != 0) {
        if (young_ > 0) ++failures_;
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
        forget(value);
    }
}

void PeerCount::forget(uint32_t descriptor) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end()) return;
    if (found->second.is_old) {
        --old_;
    } else if (failures_ > 0) {
        --failures_;
        one_young_less();
    } else {
        if (handshakes_ > 0) --handshakes_;
        one_young_less();
    }
    connections_.erase(found);
}

void PeerCount::one_young_less() {
    if (--young_ == 0) handshakes_ = failures_ = 0;
}

void PeerCount::pass_time(uint64_t now_ms) {
    while (next_due_ms() <= now_ms) {
        const auto [born_ms, descriptor] = births_.front();
        births_.pop_front();
        const auto found = connections_.find(descriptor);
        if (found == connections_.end() || found->second.is_old ||
            found->second.born_ms != born_ms) {
            continue;  // it has gone meanwhile
        }
        found->second.is_old = true;
        ++old_;
        if (handshakes_ > 0) --handshakes_;
        one_young_less();
    }
}

}  // namespace trestle::zmq
