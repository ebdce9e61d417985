// A pub endpoint's snapshots: walks over the retained messages, on the home shard, in portions.
//
// Order is kept with live messages: a retained one is read again and sent under the endpoint's
// lock. The hub keeps a message before it hands it to routes, so one that is newer than what is
// read here can only be sent after it; one that is newer and not retained has marked it as
// overtaken.
#include <utility>

#include "zmq/meta.h"
#include "zmq/pub_endpoint.h"

namespace trestle::zmq {

namespace {

// Retained messages looked at in one go; then others get their turn.
constexpr size_t kPortion = 64;

}  // namespace

RetainedStore& PubEndpoint::retained() { return context_.home().hub().hub().retained(); }

// What is beyond the limit of prefixes gets no snapshot.
void PubEndpoint::ask_for_snapshot(const std::string& prefix) {
    if (!interest_.contains(prefix)) return;
    if (!requests_.ask(prefix, context_.home().now_ms())) return;
    if (std::exchange(is_replay_posted_, true)) return;
    post_home([this] { replay(); });
}

void PubEndpoint::replay() {
    uint64_t due_ms = SnapshotRequests::kNothing;
    const uint64_t now_ms = context_.home().now_ms();
    {
        const std::lock_guard guard(mutex_);
        is_replay_posted_ = false;
        if (!socket_.is_open()) return;
        if (!walk_) {
            const auto prefixes = requests_.take_due(now_ms);
            if (!prefixes.empty()) {
                walk_.emplace(retained(), options_.frames, routes_, prefixes,
                              options_.snapshot_max_messages);
            }
        }
        if (!walk_) due_ms = requests_.next_due_ms();
    }
    if (!walk_) {
        if (due_ms != SnapshotRequests::kNothing) snapshot_timer_.set(due_ms);
        return;
    }
    const bool has_more =
        walk_->step(now_ms, kPortion,
                    [this](const RoutePtr& route, const MessageView& message,
                           const std::string& key) { send_retained(*route, message, key); });
    if (!has_more) {
        cut_short_.add(home_index(), walk_->cut_short());
        walk_.reset();
    }
    const std::lock_guard guard(mutex_);
    if (!std::exchange(is_replay_posted_, true)) post_home([this] { replay(); });
}

void PubEndpoint::send_retained(const Route& route, const MessageView& seen,
                                const std::string& key) {
    const ShardIndex shard = home_index();
    const uint64_t now_ms = context_.home().now_ms();
    const std::lock_guard guard(mutex_);
    const MessagePtr current = retained().current(seen.topic, now_ms);
    if (!current || !is_wanted(key, current->view().payload)) return;
    const MessageView& message = current->view();
    const Qos qos = std::min(message.qos, route.options().qos_out);
    std::string meta;
    if (wants_meta()) {
        meta = write_meta({.message = message, .qos = qos, .now_ms = now_ms, .is_snapshot = true});
    } else if (options_.frames.has_sequence) {
        const auto frame = SequenceNumber().frame();
        meta.assign(frame.data(), frame.size());
    }
    route.ledger().matched->add(shard);
    if (!send(key, message, meta)) {
        route.ledger().drop(shard, DropReason::shutdown);
        return;
    }
    used_by(shard);
    route.ledger().sent->add(shard);
    replayed_.add(shard);
    count_sent(shard, key, message, qos);
}

}  // namespace trestle::zmq
