#include "zmq/snapshots.h"

#include <algorithm>
#include <utility>

namespace trestle::zmq {

bool SnapshotRequests::ask(const std::string& prefix, uint64_t now_ms) {
    uint64_t due_ms = now_ms;
    if (const auto last = served_.find(prefix); last != served_.end()) {
        due_ms = std::max(due_ms, last->second + interval_ms_);
    }
    return waiting_.emplace(prefix, due_ms).second;
}

std::vector<std::string> SnapshotRequests::take_due(uint64_t now_ms) {
    std::vector<std::string> due;
    for (auto one = waiting_.begin(); one != waiting_.end();) {
        if (one->second > now_ms) {
            ++one;
            continue;
        }
        due.push_back(one->first);
        const auto [place, is_new] = served_.insert_or_assign(one->first, now_ms);
        if (is_new) served_bytes_ += place->first.size();
        one = waiting_.erase(one);
    }
    forget_served(now_ms);
    return due;
}

uint64_t SnapshotRequests::next_due_ms() const {
    uint64_t next = kNothing;
    for (const auto& [prefix, due_ms] : waiting_) next = std::min(next, due_ms);
    return next;
}

void SnapshotRequests::forget_served(uint64_t now_ms) {
    if (served_.size() > kMostServed || served_bytes_ > kMostServedBytes) {
        served_.clear();
        served_bytes_ = 0;
    }
    if (now_ms < next_cleaning_ms_) return;
    next_cleaning_ms_ = now_ms + interval_ms_;
    std::erase_if(served_, [&](const auto& one) {
        if (one.second + interval_ms_ > now_ms) return false;
        served_bytes_ -= one.first.size();
        return true;
    });
}

SnapshotWalk::SnapshotWalk(RetainedStore& store, const FrameFormat& format,
                           std::vector<RoutePtr> routes, const std::vector<std::string>& prefixes,
                           size_t most_per_prefix)
    : store_(store), format_(format), routes_(std::move(routes)), most_(most_per_prefix) {
    for (const auto& prefix : prefixes) prefixes_.insert(prefix);
    cursor_.done = true;
}

bool SnapshotWalk::next_route() {
    while (at_ < routes_.size()) {
        route_ = routes_[at_++];
        if (!route_->options().snapshot) continue;
        cursor_ = {};
        cursor_.filter = route_->mapping().mqtt_filter();
        return true;
    }
    return false;
}

bool SnapshotWalk::step(uint64_t now_ms, size_t budget, const Visit& visit) {
    if (cursor_.done && !next_route()) return false;
    batch_.clear();
    store_.collect(cursor_, budget, now_ms, batch_);
    std::string key;
    for (const auto& message : batch_) {
        const MessageView& view = message->view();
        if (!route_->key_for(view.topic, key) || is_overruled(*route_, view.topic)) continue;
        if (is_asked_for(view, key)) visit(route_, view, key);
    }
    if (cut_short_ == prefixes_.size()) return false;  // nobody may get more
    return !cursor_.done || at_ < routes_.size();
}

bool SnapshotWalk::is_asked_for(const MessageView& message, const std::string& key) {
    std::string buffer;
    const std::string_view first =
        first_frame(format_, key, message.payload, prefixes_.longest(), buffer);
    bool is_asked = false;
    prefixes_.any_of(first, [&](const std::string&, Asked& asked) {
        if (asked.sent < most_) {
            ++asked.sent;
            is_asked = true;
        } else if (!std::exchange(asked.is_cut_short, true)) {
            ++cut_short_;
        }
        return false;
    });
    return is_asked;
}

// Of several routes to the endpoint the most specific one delivers, of equals the first.
bool SnapshotWalk::is_overruled(const Route& route, std::string_view topic) const {
    bool is_before = true;
    std::string key;
    for (const auto& other : routes_) {
        if (other.get() == &route) {
            is_before = false;
            continue;
        }
        const auto order = other->mapping().compare_specificity(route.mapping());
        if (order < 0 || (order == 0 && !is_before)) continue;
        if (other->mapping().matches_topic(topic) && other->key_for(topic, key)) return true;
    }
    return false;
}

}  // namespace trestle::zmq
