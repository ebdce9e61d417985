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
// A message of a route that the endpoint has not been told of (a reload is under way) waits this
// long to see whether it will be.
constexpr uint64_t kUnknownRouteMs = 5000;

}  // namespace

PushEndpoint::PushEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : SendingEndpoint(context, zmq, std::move(options)),
      timer_due_ms_(TimerQueue::kNothing),
      timer_(
          context.home().timers(),
          [](void* self) { static_cast<PushEndpoint*>(self)->run_timer(); }, this) {}

PushEndpoint::~PushEndpoint() = default;

void PushEndpoint::start() {
    const std::lock_guard guard(mutex_);
    open(ZMQ_PUSH);
}

void PushEndpoint::accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                          Delivery& delivery) {
    const uint64_t now_ms = this->shard(shard).now_ms();
    const std::lock_guard guard(mutex_);
    if (done_ == nullptr && is_stopping_) {
        route->ledger().drop(shard, DropReason::shutdown);
        delivery.worsen(Outcome::queue_full);
        return;
    }
    used_by(shard);
    if (ready_.empty() && send_direct(shard, *route, key, delivery)) return;
    Line& line = line_of(route, now_ms);
    const auto offered = line.queue.offer(shard, key, wants_meta(), delivery, now_ms);
    if (offered == RouteQueue::Offered::queued) make_ready(line);
    if (offered == RouteQueue::Offered::waiting) need_timer_at(line.queue.next_due_ms());
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

void PushEndpoint::make_ready(Line& line) {
    if (line.is_ready) return;
    line.is_ready = true;
    ready_.push_back(&line);
}

bool PushEndpoint::see_to_socket(ShardIndex shard) {
    if (!socket_.is_open()) return false;
    bool has_more = false;
    // Asking for events also lets libzmq see that a worker has made room.
    for (int i = 0; i < kTries && !has_more; ++i) {
        if ((socket_.events() & ZMQ_POLLOUT) == 0 || ready_.empty()) break;
        has_more = drain(shard);
    }
    if (is_stopping_ && is_drained()) post_home([this] { finish_if_drained(); });
    return has_more;
}

bool PushEndpoint::drain(ShardIndex shard) {
    const uint64_t now_ms = this->shard(shard).now_ms();
    for (size_t i = 0; i < kBatch; ++i) {
        if (ready_.empty()) return false;
        Line& line = *ready_.front();
        const auto* item = line.queue.front(shard, now_ms);
        if (item != nullptr) {
            if (!send_item(shard, *item, now_ms)) return false;
            line.queue.front_sent(shard, now_ms);
        }
        ready_.pop_front();
        line.is_ready = false;
        if (line.queue.size() != 0) make_ready(line);
    }
    return true;
}

PushEndpoint::Line* PushEndpoint::line_named(const std::string& name) {
    for (const auto& line : lines_) {
        if (line->route->name() == name) return line.get();
    }
    return nullptr;
}

PushEndpoint::Line& PushEndpoint::line_of(const RoutePtr& route, uint64_t now_ms) {
    const auto known = by_route_.find(route.get());
    if (known != by_route_.end()) return *known->second;
    // A route of the table before or after this one.
    if (Line* line = line_named(route->name())) return *line;
    auto& line = *lines_.emplace_back(std::make_unique<Line>(route));
    line.is_removed = true;
    line.drop_at_ms = now_ms + kUnknownRouteMs;
    need_timer_at(line.drop_at_ms);
    return line;
}

void PushEndpoint::set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) {
    const uint64_t now_ms = context_.home().now_ms();
    const std::lock_guard guard(mutex_);
    std::vector<Line*> listed;
    by_route_.clear();
    for (const auto& route : routes) {
        if (route->to() != context_.id()) continue;
        Line* line = line_named(route->name());
        if (line == nullptr) {
            line = lines_.emplace_back(std::make_unique<Line>(route)).get();
        } else {
            line->route = route;
            line->queue.set_options(route->options());
            line->is_removed = false;
        }
        by_route_[route.get()] = line;
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

uint64_t PushEndpoint::next_due_ms() const {
    uint64_t due = TimerQueue::kNothing;
    for (const auto& line : lines_) {
        due = std::min(due, line->queue.next_due_ms());
        if (line->is_removed) due = std::min(due, line->drop_at_ms);
    }
    if (is_stopping_ && done_ != nullptr) due = std::min(due, give_up_ms_);
    return due;
}

void PushEndpoint::need_timer_at(uint64_t due_ms) {
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

void PushEndpoint::run_timer() {
    const uint64_t now_ms = context_.home().now_ms();
    bool is_late = false;
    {
        const std::lock_guard guard(mutex_);
        for (const auto& line : lines_) line->queue.refuse_overdue(home_index(), now_ms);
        erase_finished(now_ms);
        timer_due_ms_ = TimerQueue::kNothing;
        is_late = is_stopping_ && now_ms >= give_up_ms_;
        const uint64_t due_ms = next_due_ms();
        if (due_ms != TimerQueue::kNothing && !is_late) need_timer_at(due_ms);
    }
    if (is_late) finish();
}

// Lines of removed routes, when their time is up.
void PushEndpoint::erase_finished(uint64_t now_ms) {
    const auto is_over = [&](const std::unique_ptr<Line>& line) {
        return line->is_removed && line->drop_at_ms <= now_ms;
    };
    Ring<Line*> ready;
    while (!ready_.empty()) {
        Line* line = ready_.pop_front();
        if (!line->is_removed || line->drop_at_ms > now_ms) ready.push_back(line);
    }
    ready_ = std::move(ready);
    for (const auto& line : lines_) {
        if (is_over(line)) line->queue.drop_all(home_index(), DropReason::route_removed);
    }
    std::erase_if(lines_, is_over);
}

bool PushEndpoint::is_drained() const {
    return std::ranges::all_of(lines_, [](const auto& line) { return line->queue.empty(); });
}

void PushEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
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

void PushEndpoint::on_peers_changed() {
    if (is_stopping_) finish_if_drained();
}

void PushEndpoint::finish_if_drained() {
    {
        const std::lock_guard guard(mutex_);
        if (done_ == nullptr || !is_stopping_) return;
        if (!is_drained() && peers() > 0) return;
    }
    finish();
}

void PushEndpoint::finish() {
    const std::lock_guard guard(mutex_);
    if (done_ == nullptr) return;
    while (!ready_.empty()) ready_.pop_front()->is_ready = false;
    for (const auto& line : lines_) line->queue.drop_all(home_index(), DropReason::shutdown);
    close(deadline_ms_, std::exchange(done_, nullptr));
}

}  // namespace trestle::zmq
