#include "zmq/queueing_endpoint.h"

#include <algorithm>
#include <utility>

namespace trestle::zmq {

namespace {

// A message of a route that the endpoint has not been told of (a reload is under way) waits this
// long to see whether it will be.
constexpr uint64_t kUnknownRouteMs = 5000;

}  // namespace

QueueingEndpoint::QueueingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : SendingEndpoint(context, zmq, std::move(options)),
      timer_(
          context.home().timers(),
          [](void* self) { static_cast<QueueingEndpoint*>(self)->run_timer(); }, this) {}

QueueingEndpoint::~QueueingEndpoint() = default;

QueueingEndpoint::Line* QueueingEndpoint::line_named(const std::string& name) {
    for (const auto& line : lines_) {
        if (line->route->name() == name) return line.get();
    }
    return nullptr;
}

QueueingEndpoint::Line& QueueingEndpoint::add_line(const RoutePtr& route) {
    return *lines_.emplace_back(make_line(route));
}

QueueingEndpoint::Line& QueueingEndpoint::line_of(const RoutePtr& route, uint64_t now_ms) {
    const auto known = by_route_.find(route.get());
    if (known != by_route_.end()) return *known->second;
    // A route of the table before or after this one.
    if (Line* line = line_named(route->name())) return *line;
    Line& line = add_line(route);
    line.is_removed = true;
    line.drop_at_ms = now_ms + kUnknownRouteMs;
    need_timer_at(line.drop_at_ms);
    return line;
}

void QueueingEndpoint::set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) {
    const uint64_t now_ms = context_.home().now_ms();
    const std::lock_guard guard(mutex_);
    std::vector<Line*> listed;
    by_route_.clear();
    has_shared_ = false;
    for (const auto& route : routes) {
        if (route->to() != context_.id()) continue;
        Line* line = line_named(route->name());
        if (line == nullptr) {
            line = &add_line(route);
        } else {
            line->route = route;
            line->route_changed();
            line->is_removed = false;
        }
        by_route_[route.get()] = line;
        has_shared_ |= !route->options().share.empty();
        listed.push_back(line);
    }
    for (const auto& line : lines_) {
        if (line->is_removed || std::ranges::find(listed, line.get()) != listed.end()) continue;
        line->is_removed = true;
        line->drop_at_ms = now_ms + drain_ms;
        need_timer_at(line->drop_at_ms);
    }
    used_by(home_index());
}

uint64_t QueueingEndpoint::next_due_ms() const {
    uint64_t due = next_own_due_ms();
    for (const auto& line : lines_) {
        due = std::min(due, line->queue().next_due_ms());
        if (line->is_removed) due = std::min(due, line->drop_at_ms);
    }
    if (is_stopping_ && done_ != nullptr) due = std::min(due, give_up_ms_);
    return due;
}

void QueueingEndpoint::show_room(bool has_room) {
    if (!has_shared_) return;
    auto readiness = MemberState::away;
    if (!is_stopping_ && has_takers())
        readiness = has_room ? MemberState::ready : MemberState::busy;
    for (const auto& line : lines_) {
        line->route->member()->readiness.store(readiness, std::memory_order_relaxed);
    }
}

void QueueingEndpoint::need_timer_at(uint64_t due_ms) {
    if (due_ms >= timer_due_ms_) return;
    timer_due_ms_ = due_ms;
    if (context_.home().is_current()) {
        timer_.set(due_ms);
        return;
    }
    post_home([this] {
        const std::lock_guard guard(mutex_);
        if (timer_due_ms_ != TimerQueue::kNothing) timer_.set(timer_due_ms_);
    });
}

void QueueingEndpoint::run_timer() {
    const uint64_t now_ms = context_.home().now_ms();
    bool is_late = false;
    {
        const std::lock_guard guard(mutex_);
        for (const auto& line : lines_) line->queue().refuse_overdue(home_index(), now_ms);
        if (!is_over()) run_due(now_ms);
        erase_finished(now_ms);
        timer_due_ms_ = TimerQueue::kNothing;
        is_late = is_stopping_ && now_ms >= give_up_ms_;
        const uint64_t due_ms = next_due_ms();
        if (due_ms != TimerQueue::kNothing && !is_late) need_timer_at(due_ms);
    }
    if (is_late) finish();
}

// Lines of removed routes, when their time is up.
void QueueingEndpoint::erase_finished(uint64_t now_ms) {
    const auto is_finished = [&](const std::unique_ptr<Line>& line) {
        return line->is_removed && line->drop_at_ms <= now_ms;
    };
    for (const auto& line : lines_) {
        if (is_finished(line)) drop_line(*line, DropReason::route_removed, now_ms);
    }
    std::erase_if(lines_, is_finished);
}

bool QueueingEndpoint::is_drained() const {
    return std::ranges::all_of(lines_, [](const auto& line) { return line->is_idle(); });
}

void QueueingEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    const uint64_t now_ms = context_.home().now_ms();
    {
        const std::lock_guard guard(mutex_);
        is_stopping_ = true;
        deadline_ms_ = deadline_ms;
        // Some of the time is for libzmq, to send what it has taken.
        const uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        give_up_ms_ = deadline_ms - std::min<uint64_t>(options_.linger_ms, left / 4);
        done_ = std::move(done);
        need_timer_at(give_up_ms_);
        used_by(home_index());
    }
    finish_if_drained();
}

void QueueingEndpoint::cut_short() {
    {
        const std::lock_guard guard(mutex_);
        deadline_ms_ = 0;
    }
    finish();
    ZmqEndpoint::cut_short();
}

void QueueingEndpoint::drained_perhaps() {
    if (done_ != nullptr && (is_drained() || !has_takers())) {
        post_home([this] { finish_if_drained(); });
    }
}

void QueueingEndpoint::on_peers_changed() {
    used_by(home_index());
    if (is_stopping_) finish_if_drained();
}

void QueueingEndpoint::finish_if_drained() {
    {
        const std::lock_guard guard(mutex_);
        if (done_ == nullptr || !is_stopping_) return;
        if (is_engaged() || (!is_drained() && has_takers())) return;
    }
    finish();
}

void QueueingEndpoint::drop_all(DropReason reason) {
    const uint64_t now_ms = context_.home().now_ms();
    for (const auto& line : lines_) drop_line(*line, reason, now_ms);
}

void QueueingEndpoint::finish() {
    break_off();
    const std::lock_guard guard(mutex_);
    if (done_ == nullptr) return;
    drop_all(DropReason::shutdown);
    say_goodbye();
    close(deadline_ms_, std::exchange(done_, nullptr));
}

}  // namespace trestle::zmq
