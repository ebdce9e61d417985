#include "zmq/pub_endpoint.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "zmq/meta.h"

namespace trestle::zmq {

namespace {

// What peers do wrong is told so often at most.
constexpr uint32_t kLogLines = 5;
constexpr std::chrono::seconds kLogInterval{10};

uint64_t wall_clock_us() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

PubEndpoint::PubEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : SendingEndpoint(context, zmq, std::move(options)),
      interest_(options_.max_subscriptions),
      sequences_(options_.sequence_keys),
      requests_(static_cast<uint64_t>(options_.snapshot_min_interval_ms)),
      log_limit_(kLogLines, kLogInterval),
      snapshot_timer_(
          context.home().timers(), [](void* self) { static_cast<PubEndpoint*>(self)->replay(); },
          this),
      settling_timer_(
          context.home().timers(), [](void* self) { static_cast<PubEndpoint*>(self)->settle(); },
          this),
      subscriptions_(context.host().metrics().gauge(
          "trestle_zmq_subscriptions", "Different prefixes that subscribers have asked for",
          {{"endpoint", context.name()}})),
      replayed_(context.host().metrics().counter("trestle_zmq_snapshot_messages_total",
                                                 "Retained messages sent as subscriptions arrived",
                                                 {{"endpoint", context.name()}})),
      cut_short_(context.host().metrics().counter(
          "trestle_zmq_snapshots_cut_short_total",
          "Prefixes with more retained messages than snapshot_max_messages",
          {{"endpoint", context.name()}})) {}

void PubEndpoint::start() {
    const std::lock_guard guard(mutex_);
    open(ZMQ_XPUB);
}

void PubEndpoint::set_routes(const std::vector<RoutePtr>& routes, uint64_t /*drain_ms*/) {
    routes_.clear();
    std::ranges::copy_if(routes, std::back_inserter(routes_),
                         [&](const auto& route) { return route->to() == context_.id(); });
    const std::lock_guard guard(mutex_);
    has_snapshots_ =
        std::ranges::any_of(routes_, [](const auto& route) { return route->options().snapshot; });
}

void PubEndpoint::accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                         Delivery& delivery) {
    const Qos qos = std::min(delivery.message().qos, route->options().qos_out);
    switch (hand_over(shard, *route, key, delivery, qos)) {
        case Fate::sent:
            used_by(shard);
            route->ledger().leave(shard, 0);
            count_sent(shard, key, delivery.message(), qos);
            break;
        case Fate::unwanted:
            leave_unwanted(shard, *route, delivery);
            break;
        case Fate::closed:
            route->ledger().drop(shard, DropReason::shutdown);
            break;
    }
}

PubEndpoint::Fate PubEndpoint::hand_over(ShardIndex shard, const Route& route, std::string_view key,
                                         const Delivery& delivery, Qos qos) {
    const MessageView& message = delivery.message();
    // With a meta frame the lock is taken twice: writing the frame costs more than that.
    std::string meta;
    if (wants_meta()) {
        {
            const std::lock_guard guard(mutex_);
            if (!is_wanted(key, message.payload)) return leave_out(route, key, message);
        }
        meta = write_meta({.message = message,
                           .qos = qos,
                           .client = delivery.from().client_id,
                           .user = delivery.from().user,
                           .taken_ms = wall_clock_ms(),
                           .now_ms = this->shard(shard).now_ms()});
    }
    const std::lock_guard guard(mutex_);
    if (!socket_.is_open()) return Fate::closed;
    if (!is_wanted(key, message.payload)) return leave_out(route, key, message);
    overtake(route, message);
    const bool is_sent = options_.frames.has_sequence ? send_numbered(key, message, std::move(meta))
                                                      : send(key, message, meta);
    return is_sent ? Fate::sent : Fate::closed;
}

// From now on there is something newer than what the retained store has.
void PubEndpoint::overtake(const Route& route, const MessageView& message) {
    if (route.options().snapshot && !message.retain) retained().overtake(message.topic);
}

// It counts all the same: who was away shall see that it has missed something, and not get what is
// older instead.
PubEndpoint::Fate PubEndpoint::leave_out(const Route& route, std::string_view key,
                                         const MessageView& message) {
    overtake(route, message);
    if (options_.frames.has_sequence) sequences_.next(key, wall_clock_us());
    return Fate::unwanted;
}

bool PubEndpoint::send_numbered(std::string_view key, const MessageView& message,
                                std::string meta) {
    const SequenceNumber number = sequences_.next(key, wall_clock_us());
    if (!wants_meta()) {
        const auto frame = number.frame();
        return send(key, message, {frame.data(), frame.size()});
    }
    meta.pop_back();  // into the JSON object that is there
    meta += ",\"sequence\":" + number.json() + "}";
    return send(key, message, meta);
}

bool PubEndpoint::is_wanted(std::string_view key, std::string_view payload) const {
    std::string buffer;
    return interest_.wants(first_frame(options_.frames, key, payload, interest_.longest(), buffer));
}

void PubEndpoint::leave_unwanted(ShardIndex shard, const Route& route, Delivery& delivery) {
    const NoReceiver policy = route.options().no_receiver;
    if (policy == NoReceiver::refuse && delivery.can_defer()) {
        route.ledger().refuse(shard, 1, DropReason::no_subscriber);
        delivery.worsen(Outcome::queue_full);
        return;
    }
    route.ledger().drop(shard, DropReason::no_subscriber);
    if (policy == NoReceiver::report) delivery.worsen(Outcome::no_receiver);
}

void PubEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    snapshot_timer_.cancel();
    settling_timer_.cancel();
    walk_.reset();
    const std::lock_guard guard(mutex_);
    close(deadline_ms, std::move(done));
}

}  // namespace trestle::zmq
