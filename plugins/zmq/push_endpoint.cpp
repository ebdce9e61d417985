#include "zmq/push_endpoint.h"

#include <algorithm>
#include <utility>

#include "zmq/meta.h"

namespace trestle::zmq {

namespace {

// Messages sent from queues in one go; then others get their turn.
constexpr size_t kBatch = 256;
// libzmq says that there is room, but a send finds none: as often as this it is believed again.
constexpr int kTries = 4;

}  // namespace

PushEndpoint::PushEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : QueueingEndpoint(context, zmq, std::move(options)) {}

PushEndpoint::~PushEndpoint() = default;

void PushEndpoint::start() {
    const std::lock_guard guard(mutex_);
    open(ZMQ_PUSH);
}

void PushEndpoint::accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                          Delivery& delivery) {
    const uint64_t now_ms = this->shard(shard).now_ms();
    const std::lock_guard guard(mutex_);
    if (is_over()) {
        route->ledger().drop(shard, DropReason::shutdown);
        delivery.worsen(Outcome::queue_full);
        return;
    }
    used_by(shard);
    if (ready_.empty() && send_direct(shard, *route, key, delivery)) return;
    auto& line = static_cast<PushLine&>(line_of(route, now_ms));
    const auto offered = line.items.offer(shard, key, wants_meta(), delivery, now_ms);
    if (offered == RouteQueue::Offered::queued) make_ready(line);
    if (offered == RouteQueue::Offered::waiting) need_timer_at(line.items.next_due_ms());
}

bool PushEndpoint::offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
                         Delivery& delivery) {
    const std::lock_guard guard(mutex_);
    if (!is_stopping()) {
        used_by(shard);
        if (ready_.empty() && send_direct(shard, *route, key, delivery)) return true;
    }
    show_room(false);
    return false;
}

bool PushEndpoint::send_direct(ShardIndex shard, const Route& route, std::string_view key,
                               const Delivery& delivery) {
    if (!socket_.is_open()) return false;
    const MessageView& message = delivery.message();
    const Qos qos = std::min(message.qos, route.options().qos_out);
    std::string meta;
    if (wants_meta()) {
        meta = write_meta({.message = message,
                           .qos = qos,
                           .client = delivery.from().client_id,
                           .user = delivery.from().user,
                           .taken_ms = wall_clock_ms(),
                           .now_ms = this->shard(shard).now_ms()});
    }
    if (!send(key, message, meta)) return false;
    route.ledger().leave(shard, 0);
    count_sent(shard, key, message, qos);
    return true;
}

bool PushEndpoint::send_item(ShardIndex shard, const RouteQueue::Item& item, uint64_t now_ms) {
    const MessageView& message = item.message->view();
    std::string meta;
    if (wants_meta()) {
        const uint64_t waited_ms = now_ms > item.entered_ms ? now_ms - item.entered_ms : 0;
        meta = write_meta({.message = message,
                           .qos = item.qos,
                           .client = item.client,
                           .user = item.user,
                           .taken_ms = wall_clock_ms() - waited_ms,
                           .now_ms = now_ms});
    }
    if (!send(item.key, message, meta)) return false;
    count_sent(shard, item.key, message, item.qos);
    return true;
}

void PushEndpoint::make_ready(PushLine& line) {
    if (line.is_ready) return;
    line.is_ready = true;
    ready_.push_back(&line);
}

bool PushEndpoint::see_to_socket(ShardIndex shard) {
    if (!socket_.is_open()) return false;
    bool has_more = false;
    bool has_room = false;
    // Asking for events also lets libzmq see that a worker has made room.
    for (int i = 0; i < kTries && !has_more; ++i) {
        has_room = (socket_.events() & ZMQ_POLLOUT) != 0;
        if (!has_room || ready_.empty()) break;
        has_more = drain(shard);
    }
    show_room(has_room && ready_.empty());
    drained_perhaps();
    return has_more;
}

bool PushEndpoint::drain(ShardIndex shard) {
    const uint64_t now_ms = this->shard(shard).now_ms();
    for (size_t i = 0; i < kBatch; ++i) {
        if (ready_.empty()) return false;
        PushLine& line = *ready_.front();
        const auto* item = line.items.front(shard, now_ms);
        if (item != nullptr) {
            if (!send_item(shard, *item, now_ms)) return false;
            line.items.front_sent(shard, now_ms);
        }
        ready_.pop_front();
        line.is_ready = false;
        if (line.items.size() != 0) make_ready(line);
    }
    return true;
}

std::unique_ptr<QueueingEndpoint::Line> PushEndpoint::make_line(const RoutePtr& route) {
    return std::make_unique<PushLine>(route);
}

void PushEndpoint::drop_line(Line& line, DropReason reason, uint64_t /*now_ms*/) {
    auto& mine = static_cast<PushLine&>(line);
    for (size_t rest = mine.is_ready ? ready_.size() : 0; rest > 0; --rest) {
        PushLine* one = ready_.pop_front();
        if (one != &mine) ready_.push_back(one);
    }
    mine.is_ready = false;
    mine.items.drop_all(home_index(), reason);
}

}  // namespace trestle::zmq
