// What peers of Trestle's own protocol say to a router.
#include <algorithm>
#include <charconv>
#include <utility>

#include "zmq/router_endpoint.h"

namespace trestle::zmq {

bool RouterEndpoint::send_head(std::string_view peer, std::string_view head) {
    const std::string_view frames[] = {peer, head};
    return socket_.is_open() && send_to_peer(frames) == Socket::Sent::yes;
}

void RouterEndpoint::take_native(std::string_view peer, FrameView frames) {
    using Kind = NativeMessage::Kind;
    const NativeMessage message = read_native(frames);
    if (message.kind == Kind::publish) return take_publish(peer, message);
    const bool is_nonsense = message.kind == Kind::bad;
    if (is_nonsense || is_too_large()) {
        const bool is_worker = board_.find(peer) != nullptr;
        if (is_nonsense) {
            take_nonsense(peer, "a head that makes no sense, or too much behind it");
        } else {
            take_too_large(peer);
        }
        return is_worker ? void() : send_away(peer, Dialect::native);
    }
    if (message.kind == Kind::hello) return take_hello(peer, message);
    Worker* worker = board_.find(peer);
    if (worker == nullptr) {
        if (message.kind != Kind::bye) send_away(peer, Dialect::native);
        return;
    }
    if (worker->dialect != Dialect::native) return take_nonsense(peer, "two protocols at once");
    take_native_from(*worker, message);
}

void RouterEndpoint::take_hello(std::string_view peer, const NativeMessage& message) {
    const uint32_t window = std::min(message.window, options_.router.max_window);
    const auto& rules = options_.router;
    make_way(peer);
    // WELCOME comes before the first job.
    if (board_.find(peer) == nullptr && !is_stopping()) {
        send_head(peer, native_welcome(static_cast<uint32_t>(rules.heartbeat_ms),
                                       static_cast<uint32_t>(rules.lease_ms), window));
    }
    take_newcomer({.peer = peer,
                   .dialect = Dialect::native,
                   .service = message.service,
                   .window = window,
                   .bundle = message.bundle});
}

void RouterEndpoint::take_native_from(Worker& worker, const NativeMessage& message) {
    using Kind = NativeMessage::Kind;
    const At at = here();
    const JobBoard::Frames nothing;
    const uint32_t most_delay_ms = options_.router.max_nack_delay_ms;
    // No worker has more jobs.
    const size_t tags = std::min<size_t>(message.tag_count(), options_.router.max_window);
    work_ = message.kind == Kind::heartbeat ? worker.holds : tags;
    bool is_known = true;
    const auto each_tag = [&](const auto& act) {
        board_.together(at, [&] {
            for (size_t i = 0; i < tags; ++i) {
                is_known &= act(message.tag_at(i)) != JobBoard::Answer::unknown;
            }
        });
    };
    switch (message.kind) {
        case Kind::window:
            return board_.set_window(at, worker,
                                     std::min(message.window, options_.router.max_window));
        case Kind::heartbeat:
            return board_.heard(at, worker);
        case Kind::bye:
            return board_.leave(at, worker);
        case Kind::ack:
            each_tag([&](uint64_t tag) { return board_.reply(at, worker, tag, nothing); });
            break;
        case Kind::reply:
            each_tag([&](uint64_t tag) { return board_.reply(at, worker, tag, message.body); });
            break;
        case Kind::partial:
            each_tag([&](uint64_t tag) { return board_.progress(at, worker, tag, message.body); });
            break;
        case Kind::extend:
            each_tag([&](uint64_t tag) { return board_.extend(at, worker, tag); });
            break;
        case Kind::release:
            each_tag([&](uint64_t tag) {
                return board_.give_back(at, worker, tag, {.is_untried = true});
            });
            break;
        case Kind::nack:
            each_tag([&](uint64_t tag) {
                return board_.give_back(at, worker, tag,
                                        {.delay_ms = std::min(message.delay_ms, most_delay_ms),
                                         .for_good = message.for_good,
                                         .reason = message.body});
            });
            break;
        default:
            break;
    }
    if (!is_known) complain("a tag that it does not have");
    if (tags < message.tag_count()) complain("more tags than a window has places");
}

void RouterEndpoint::answer_publish(std::string_view peer, uint64_t id, std::string_view status) {
    if (!send_head(peer, native_published(id, status))) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
}

void RouterEndpoint::take_publish(std::string_view peer, const NativeMessage& message) {
    const uint64_t id = message.publish_id;
    if (is_too_large()) return answer_publish(peer, id, "413");
    struct Order {
        std::string peer, topic, meta, payload;
    };
    const auto order = std::make_shared<const Order>(
        Order{std::string(peer), std::string(message.body[0]), std::string(message.body[1]),
              std::string(message.body[2])});
    const uint64_t connection = its_connection();
    errand(
        [this, order, id, connection] {
            services_.publish(order->topic, order->meta, order->payload, connection,
                              [this, to = order->peer, id](std::string_view status) {
                                  const std::lock_guard guard(mutex_);
                                  answer_publish(to, id, status);
                                  used_by(home_index());
                              });
        },
        reader_.size());
}

}  // namespace trestle::zmq
