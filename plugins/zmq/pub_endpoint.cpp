#include "zmq/pub_endpoint.h"

#include <algorithm>
#include <utility>

#include "zmq/meta.h"

namespace trestle::zmq {

namespace {

// Of what subscribers send, per turn.
constexpr size_t kBatch = 1024;

}  // namespace

PubEndpoint::PubEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : SendingEndpoint(context, zmq, std::move(options)),
      subscriptions_(context.host().metrics().gauge(
          "trestle_zmq_subscriptions", "Different prefixes that subscribers have asked for",
          {{"endpoint", context.name()}})) {}

void PubEndpoint::start() { open(ZMQ_XPUB); }

void PubEndpoint::accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                         Delivery& delivery) {
    const MessageView& message = delivery.message();
    const Qos qos = std::min(message.qos, route->options().qos_out);
    std::string meta;
    if (wants_meta()) {
        meta = write_meta({.message = message,
                           .qos = qos,
                           .client = delivery.from().client_id,
                           .user = delivery.from().user,
                           .taken_ms = wall_clock_ms(),
                           .now_ms = this->shard(shard).now_ms()});
    }
    bool is_sent = false;
    {
        const std::lock_guard guard(mutex_);
        is_sent = socket_.is_open() && send(key, message, meta);
    }
    if (!is_sent) {
        route->ledger().drop(shard, DropReason::shutdown);
        return;
    }
    used_by(shard);
    route->ledger().leave(shard, 0);
    count_sent(shard, key, message, qos);
}

// Subscriptions come as messages, and those that nobody reads would pile up in libzmq for ever.
bool PubEndpoint::see_to_socket(ShardIndex shard) {
    if (!socket_.is_open()) return false;
    Frame frame;
    for (size_t i = 0; i < kBatch; ++i) {
        if (!socket_.receive(frame)) {
            if ((socket_.events() & ZMQ_POLLIN) == 0) return false;
            continue;
        }
        const auto bytes = frame.bytes();
        if (!bytes.empty() && (bytes[0] == 0 || bytes[0] == 1) && !frame.has_more()) {
            subscriptions_.add(shard, bytes[0] == 1 ? 1 : -1);
        } else if (!frame.has_more()) {
            // Subscribers have nothing to say; the message ends here.
            counters_.protocol_errors->add(shard);
        }
    }
    return true;
}

void PubEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    const std::lock_guard guard(mutex_);
    close(deadline_ms, std::move(done));
}

}  // namespace trestle::zmq
