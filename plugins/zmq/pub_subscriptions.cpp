// Who asks a pub endpoint for what: what its XPUB socket and its monitor tell.
//
// libzmq passes up each subscription and unsubscription, with the descriptor of the connection that
// it came by; the monitor tells which connection has that now, and when one has closed. That
// connection's subscriptions end then. What libzmq itself says at that time is not heeded: it names
// no connection, and a peer of ZMTP 2.0 can say the same.
//
// Nor can it refuse a subscription, nor does it bound what it keeps of them: a peer that asks for
// more than one may is cut off.
//
// Two kinds of subscriptions have no connection. Peers of ZMTP 2.0 and older are nameless: what
// they ask for stays wanted until every open connection is one with a name. And the monitor may
// not know a descriptor: its connection has closed just now, or it is so new that the event is
// still to come, as it is with several I/O threads. A moment later it does, or it never will.
#include <utility>

#include "zmq/pub_endpoint.h"

namespace trestle::zmq {

namespace {

// Of what subscribers send, per turn.
constexpr size_t kBatch = 1024;
constexpr uint64_t kSettlingMs = 1000;

constexpr Interest::Asker kNameless = UINT64_MAX;
constexpr Interest::Asker unplaced(int descriptor) {
    return uint64_t{1} << 63U | static_cast<uint32_t>(descriptor);
}

}  // namespace

// Subscriptions come as messages, and those that nobody reads would pile up in libzmq for ever.
// Connections are known on the home shard alone.
bool PubEndpoint::see_to_socket(ShardIndex shard) {
    if (!socket_.is_open()) return false;
    if (shard == home_index()) return read();
    read_at_home();
    return false;
}

// True: there is more.
bool PubEndpoint::read() {
    Frame frame;
    for (size_t i = 0; i < kBatch; ++i) {
        if (!socket_.receive(frame)) {
            if ((socket_.events() & ZMQ_POLLIN) == 0) return false;
            continue;
        }
        const auto bytes = frame.bytes();
        if (!bytes.empty() && (bytes[0] == 0 || bytes[0] == 1) && !frame.has_more()) {
            on_subscription(frame);
        } else if (!frame.has_more()) {
            // Subscribers have nothing to say; the message ends here.
            counters_.protocol_errors->add(home_index());
        }
    }
    return true;
}

void PubEndpoint::on_subscription(const Frame& frame) {
    const std::string_view prefix = frame.bytes().substr(1);
    const int descriptor = frame.source_descriptor();
    const Interest::Asker asker = asker_of(descriptor);
    if (cut_.contains(asker)) return;
    if (frame.bytes()[0] == 1) {
        subscribe(asker, prefix, descriptor);
    } else if (asker != kNameless && interest_.remove(asker, prefix)) {
        requests_.forget(std::string(prefix));
    }
    show_subscriptions();
}

void PubEndpoint::subscribe(Interest::Asker asker, std::string_view prefix, int descriptor) {
    const auto share = interest_.add(asker, prefix);
    if (share.prefixes > options_.max_subscriptions_per_peer ||
        share.bytes > options_.max_subscription_bytes_per_peer) {
        return cut_off(asker, descriptor);
    }
    if (asker == kNameless) {
        nameless_ms_ = context_.home().now_ms();
        settle_at(nameless_ms_ + kSettlingMs);
    }
    if (has_snapshots_) ask_for_snapshot(std::string(prefix));
}

// A subscription cannot be refused, and libzmq keeps what it has been told: only the connection can
// be ended, and libzmq then forgets what came by it. Which ones are nameless, nobody knows: all end
// that libzmq has not named yet. One without a place will have one soon, or has gone.
void PubEndpoint::cut_off(Interest::Asker asker, int descriptor) {
    const size_t before = cut_.size();
    if (asker == kNameless) {
        for (const auto& [number_of_it, connection] : open_connections()) {
            if (named_.contains(connection) || cut_.contains(connection)) continue;
            if (cut(number_of_it, connection)) cut_.insert(connection);
        }
    } else if (cut(descriptor, asker)) {
        cut_.insert(asker);
    }
    if (cut_.size() == before) return;  // the next subscription tries again
    leave(asker);
    counters_.protocol_errors->add(home_index());
    context_.log().limited(log_limit_, RepeatLimit::Clock::now(), LogLevel::warn,
                           "a peer has asked for more than max_subscriptions_per_peer or "
                           "max_subscription_bytes_per_peer allow and is cut off");
}

Interest::Asker PubEndpoint::asker_of(int descriptor) {
    if (descriptor < 0) return kNameless;
    const uint64_t connection = connection_of(descriptor);
    if (connection == 0) {
        unplaced_[descriptor] = context_.home().now_ms();
        settle_at(context_.home().now_ms() + kSettlingMs);
        return unplaced(descriptor);
    }
    named_.insert(connection);
    // It may have said that itself. If it was one before it, that does no harm: it is wanted a
    // little longer.
    if (unplaced_.erase(descriptor) != 0) interest_.hand_on(unplaced(descriptor), connection);
    return connection;
}

void PubEndpoint::on_connection_closed(uint64_t connection) {
    const std::lock_guard guard(mutex_);
    named_.erase(connection);
    cut_.erase(connection);
    leave(connection);
}

void PubEndpoint::leave(Interest::Asker asker) {
    interest_.leave(asker, [this](const std::string& prefix) { requests_.forget(prefix); });
    show_subscriptions();
}

void PubEndpoint::show_subscriptions() {
    subscriptions_.set(home_index(), static_cast<int64_t>(interest_.size()));
}

void PubEndpoint::settle_at(uint64_t due_ms) {
    if (!std::exchange(is_settling_due_, true)) settling_timer_.set(due_ms);
}

bool PubEndpoint::is_everybody_named() {
    return all_connections([this](uint64_t connection) { return named_.contains(connection); });
}

void PubEndpoint::settle() {
    const std::lock_guard guard(mutex_);
    is_settling_due_ = false;
    if (!socket_.is_open()) return;
    const uint64_t now_ms = context_.home().now_ms();
    std::erase_if(unplaced_, [&](const auto& one) {
        const auto& [descriptor, since_ms] = one;
        if (now_ms < since_ms + kSettlingMs) return false;
        if (const uint64_t connection = connection_of(descriptor)) {
            interest_.hand_on(unplaced(descriptor), connection);
        } else {
            leave(unplaced(descriptor));
        }
        return true;
    });
    if (interest_.has(kNameless) && now_ms >= nameless_ms_ + kSettlingMs && is_everybody_named()) {
        leave(kNameless);
    }
    show_subscriptions();
    if (!unplaced_.empty() || interest_.has(kNameless)) settle_at(now_ms + kSettlingMs);
}

}  // namespace trestle::zmq
