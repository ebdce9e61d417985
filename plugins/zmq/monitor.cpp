#include "zmq/monitor.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trestle::zmq {

namespace {

constexpr int kHandshakeFailed = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr int kWanted = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_MONITOR_STOPPED |
                        kHandshakeFailed;
// libzmq waits when this many events are unread, and would keep its I/O thread from working.
constexpr int kMostEvents = 1'000'000;

}  // namespace

void PeerCount::on_event(uint16_t event, uint32_t value) {
    if ((event & (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED)) != 0) {
        forget(value);  // a descriptor that is used anew was closed before
        connections_[value] = {next_number_++, false};
    } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        mark_newest();
    } else if ((event & kHandshakeFailed) != 0) {
        ++failed_;
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
        const bool has_failed = failed_ > 0;
        if (has_failed) --failed_;
        const auto found = connections_.find(value);
        const bool was_peer = found != connections_.end() && found->second.is_peer;
        forget(value);
        if (has_failed && was_peer) mark_newest();
    }
}

void PeerCount::mark_newest() {
    Connection* newest = nullptr;
    for (auto& [descriptor, connection] : connections_) {
        if (connection.is_peer) continue;
        if (newest == nullptr || connection.number > newest->number) newest = &connection;
    }
    if (newest == nullptr) return;
    newest->is_peer = true;
    ++peers_;
}

void PeerCount::forget(uint32_t descriptor) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end()) return;
    if (found->second.is_peer) --peers_;
    connections_.erase(found);
}

Monitor::Monitor(Shard& home, Context& context, Socket& socket, Events events)
    : pair_(context, ZMQ_PAIR), events_(std::move(events)) {
    const std::string name = context.inproc_name();
    socket.monitor(name, kWanted);
    pair_.set(ZMQ_RCVHWM, kMostEvents);
    pair_.set(ZMQ_LINGER, 0);
    pair_.connect(name);
    watch_ = std::make_unique<SocketWatch>(home, pair_.descriptor(), [this] { read(); });
    read();  // libzmq signals to those only who have looked before
}

void Monitor::read() {
    const size_t before = count_.peers();
    bool has_stopped = false;
    Frame frame;
    do {
        while (pair_.receive(frame)) {
            const auto bytes = frame.bytes();
            uint16_t event = 0;
            uint32_t value = 0;
            if (bytes.size() >= sizeof event + sizeof value) {
                std::memcpy(&event, bytes.data(), sizeof event);
                std::memcpy(&value, bytes.data() + sizeof event, sizeof value);
            }
            while (frame.has_more() && pair_.receive(frame)) {
            }
            count_.on_event(event, value);
            has_stopped |= event == ZMQ_EVENT_MONITOR_STOPPED;
        }
    } while ((pair_.events() & ZMQ_POLLIN) != 0);
    // Each of these may destroy this object.
    if (has_stopped) {
        const auto stopped = events_.stopped;
        if (stopped) stopped();
    } else if (count_.peers() != before && events_.peers_changed) {
        const auto changed = events_.peers_changed;
        changed();
    }
}

}  // namespace trestle::zmq
