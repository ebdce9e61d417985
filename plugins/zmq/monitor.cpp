#include "zmq/monitor.h"

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

Monitor::Monitor(Shard& home, Context& context, Socket& socket, uint64_t handshake_ms,
                 Events events)
    : home_(home),
      pair_(context, ZMQ_PAIR),
      count_(handshake_ms),
      events_(std::move(events)),
      timer_(
          home.timers(), [](void* self) { static_cast<Monitor*>(self)->pass_time(); }, this) {
    const std::string name = context.inproc_name();
    socket.monitor(name, kWanted);
    pair_.set(ZMQ_RCVHWM, kMostEvents);
    pair_.set(ZMQ_LINGER, 0);
    pair_.connect(name);
    watch_ = std::make_unique<SocketWatch>(home, pair_.descriptor(), [this] { read(); });
    read();  // libzmq signals to those only who have looked before
}

void Monitor::read() {
    drain();
    report();
}

void Monitor::drain() {
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
            count_.on_event(event, value, home_.now_ms());
            if (const uint64_t number = numbers_.on_event(event, value)) closed_.push_back(number);
            has_stopped_ |= event == ZMQ_EVENT_MONITOR_STOPPED;
        }
    } while ((pair_.events() & ZMQ_POLLIN) != 0);
    arm_timer();
}

void Monitor::report() {
    const std::weak_ptr<bool> alive = alive_;  // each call may destroy this object
    for (const uint64_t number : std::exchange(closed_, {})) {
        if (events_.connection_closed) events_.connection_closed(number);
        if (alive.expired()) return;
    }
    if (has_stopped_) {
        const auto stopped = events_.stopped;
        if (stopped) stopped();
    } else if (std::exchange(told_peers_, count_.peers()) != count_.peers()) {
        const auto changed = events_.peers_changed;
        if (changed) changed(count_.peers());
    }
}

uint64_t Monitor::connection_of(int descriptor) {
    return connections().of(static_cast<uint32_t>(descriptor));
}

const ConnectionNumbers& Monitor::connections() {
    drain();
    if (!closed_.empty() || has_stopped_ || told_peers_ != count_.peers()) {
        home_.post([this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) report();
        });
    }
    return numbers_;
}

void Monitor::arm_timer() {
    const uint64_t due_ms = count_.next_due_ms();
    if (due_ms != PeerCount::kNothing) timer_.set(due_ms);
}

void Monitor::pass_time() {
    count_.pass_time(home_.now_ms());
    arm_timer();
    report();
}

}  // namespace trestle::zmq
