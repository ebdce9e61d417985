#include "zmq/router_endpoint.h"

#include <chrono>
#include <random>
#include <utility>

#include "plugin_api/ledgers.h"

namespace trestle::zmq {

namespace {

// What peers do wrong is told so often at most.
constexpr uint32_t kLogLines = 5;
constexpr std::chrono::seconds kLogInterval{10};
// Published in one go, and its bytes; then others get their turn.
constexpr size_t kErrandsAtOnce = 64;
constexpr size_t kErrandBytesAtOnce = 1u << 20;

uint64_t random_number() {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32U | device();
}

BoardRules rules_of(const RouterOptions& options) {
    return {.heartbeat_ms = options.heartbeat_ms,
            .liveness = options.liveness,
            .lease_ms = options.lease_ms,
            .max_lease_ms = options.max_lease_ms,
            .max_attempts = options.max_attempts,
            .max_in_flight_bytes = options.max_in_flight_bytes};
}

BoardCounters counters_of(EndpointContext& context) {
    Metrics& metrics = context.host().metrics();
    const Labels mine{{"endpoint", context.name()}};
    return {.workers = &metrics.gauge("trestle_zmq_workers",
                                      "Workers that have offered a service to a router", mine),
            .redeliveries = &metrics.counter("trestle_zmq_redeliveries_total",
                                             "Jobs handed out again, after a worker that did not "
                                             "reply",
                                             mine),
            .late_replies =
                &metrics.counter("trestle_zmq_late_replies_total",
                                 "Replies to jobs that were no longer with the worker", mine),
            .expired_leases =
                &metrics.counter("trestle_zmq_leases_expired_total",
                                 "Jobs taken back from workers that were too slow", mine)};
}

// The books of requests that clients make of services; like those of a route.
RouteLedger request_ledger(EndpointContext& context) {
    return make_ledger<RouteLedger>(
        context.host().metrics(), {{"endpoint", context.name()}},
        {.matched = {"trestle_zmq_requests_received_total", "Clients' requests to services"},
         .outcomes = {"trestle_zmq_requests_total",
                      "Clients' requests to services, by what became of them; \"queued\" counts "
                      "passages"},
         .queue_messages = {"trestle_zmq_requests_waiting",
                            "Clients' requests that wait for a worker"},
         .queue_bytes = {"trestle_zmq_requests_waiting_bytes",
                         "Bytes of clients' requests that wait"},
         .in_flight = {"trestle_zmq_requests_in_flight",
                       "Clients' requests that are with workers"}},
        context.drop_counters());
}

RouteOptions request_options(const RouterOptions& options) {
    RouteOptions bounds;
    bounds.max_messages = options.max_requests;
    bounds.max_bytes = options.max_request_bytes;
    bounds.timeout_ms = options.request_timeout_ms;
    bounds.when_full = WhenFull::drop_newest;
    return bounds;
}

}  // namespace

RouterEndpoint::RouterEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : QueueingEndpoint(context, zmq, std::move(options)),
      epoch_(write_tag(random_number())),
      request_ledger_(request_ledger(context)),
      // Tags begin anywhere, so that those of an earlier life of the gateway are not taken for new.
      board_(rules_of(options_.router), *this, counters_of(context), random_number() >> 32U),
      requests_(board_, nullptr, request_options(options_.router), request_ledger_),
      services_(context, counters_,
                {options_.router.max_requests, options_.router.max_requests_per_client,
                 options_.router.request_timeout_ms, options_.router.max_request_timeout_ms},
                [this](const ClientAddress& client, bool is_final, JobBoard::Frames body) {
                    return answer_for_service(client, is_final, body);
                }),
      reader_(options_.router.max_frames + 1),
      log_limit_(kLogLines, kLogInterval),
      unsent_(options_.router.max_unsent_bytes,
              [this](const std::string& peer) { has_room_again(peer); }),
      request_quota_({}, {options_.router.max_requests_per_client,
                          options_.router.max_request_bytes_per_client}) {
    publisher_.endpoint = context.id();
}

RouterEndpoint::~RouterEndpoint() {
    const std::lock_guard guard(mutex_);
    drop_all(DropReason::shutdown);
    board_.drop_line(here(), requests_, DropReason::shutdown);
}

void RouterEndpoint::start() {
    const std::lock_guard guard(mutex_);
    open(ZMQ_ROUTER);
    socket_.set(ZMQ_ROUTER_MANDATORY, 1);
    services_.start();
}

std::unique_ptr<QueueingEndpoint::Line> RouterEndpoint::make_line(const RoutePtr& route) {
    Gauge& without_worker = context_.host().metrics().gauge(
        "trestle_route_jobs_without_worker", "Jobs that wait for a service that no worker offers",
        {{"route", route->name()}});
    return std::make_unique<RouterLine>(board_, route, without_worker);
}

void RouterEndpoint::drop_line(Line& line, DropReason reason, uint64_t now_ms) {
    board_.drop_line({home_index(), now_ms}, static_cast<RouterLine&>(line).jobs, reason);
}

// Devices have been sent away before: none of them will answer.
void RouterEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    services_.forsake_devices();
    QueueingEndpoint::stop(deadline_ms, std::move(done));
}

void RouterEndpoint::break_off() {
    services_.stop();
    while (run_some_errands()) {
    }
}

void RouterEndpoint::say_goodbye() {
    board_.drop_line(here(), requests_, DropReason::shutdown);
    if (socket_.is_open()) board_.dismiss_all(here());
}

void RouterEndpoint::run_due(uint64_t now_ms) {
    board_.tick({home_index(), now_ms});
    used_by(home_index());
}

uint64_t RouterEndpoint::next_own_due_ms() const { return board_.next_due_ms(); }

void RouterEndpoint::accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                            Delivery& delivery) {
    const std::lock_guard guard(mutex_);
    if (is_over()) {
        route->ledger().drop(shard, DropReason::shutdown);
        delivery.worsen(Outcome::queue_full);
        return;
    }
    take_job(shard, route, key, delivery);
}

bool RouterEndpoint::offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
                           Delivery& delivery) {
    const std::lock_guard guard(mutex_);
    if (is_stopping() || !board_.has_free_worker(key)) return false;
    // A full line keeps its place for others' services, and a key its order; another member may be
    // idle.
    const MessageView& message = delivery.message();
    const auto& line = static_cast<RouterLine&>(line_of(route, this->shard(shard).now_ms()));
    if (!line.jobs.has_room_for(message.size() + key.size())) return false;
    if (line.jobs.is_key_taken(message.topic)) return false;
    take_job(shard, route, key, delivery);
    return true;
}

void RouterEndpoint::take_job(ShardIndex shard, const RoutePtr& route, std::string_view key,
                              Delivery& delivery) {
    const uint64_t now_ms = this->shard(shard).now_ms();
    used_by(shard);
    auto& line = static_cast<RouterLine&>(line_of(route, now_ms));
    using Offered = RouteAdmission::Offered;
    const auto offered = board_.offer({shard, now_ms}, line.jobs, key, delivery);
    if (offered == Offered::dropped || offered == Offered::refused) {
        respond_unqueued(delivery.message());
    }
    if (offered == Offered::waiting) need_timer_at(line.jobs.next_due_ms());
    need_timer_at(board_.next_due_ms());
}

bool RouterEndpoint::see_to_socket(ShardIndex shard) {
    if (!socket_.is_open()) return false;
    bool has_more = false;
    if (shard == home_index()) {
        has_more = read();
    } else {
        read_at_home();
    }
    need_timer_at(board_.next_due_ms());
    show_room(true);  // which worker has, `offer` finds out
    drained_perhaps();
    return has_more;
}

// What the worker has sent before it went is read first.
void RouterEndpoint::on_connection_closed(uint64_t connection) {
    post_home([this, connection] {
        const std::lock_guard guard(mutex_);
        if (is_over()) return;
        if (see_to_socket(home_index())) used_by(home_index());
        board_.connection_lost(here(), connection);
        // After what it has asked for.
        errand([this, connection] { services_.connection_lost(connection); }, 0);
        used_by(home_index());
    });
}

void RouterEndpoint::errand(std::function<void()> work, size_t bytes) {
    errands_.push_back({std::move(work), bytes});
    errand_bytes_ += bytes;
    if (!std::exchange(is_errand_due_, true)) post_home([this] { run_errands(); });
}

void RouterEndpoint::run_errands() {
    run_some_errands();
    const std::lock_guard guard(mutex_);
    is_errand_due_ = !errands_.empty();
    if (is_errand_due_) post_home([this] { run_errands(); });
    // Reading may have stopped for them.
    used_by(home_index());
}

bool RouterEndpoint::run_some_errands() {
    std::vector<Errand> errands;
    bool has_more = false;
    {
        const std::lock_guard guard(mutex_);
        size_t bytes = 0;
        while (!errands_.empty() && errands.size() < kErrandsAtOnce && bytes < kErrandBytesAtOnce) {
            bytes += errands_.front().bytes;
            errands.push_back(std::move(errands_.front()));
            errands_.pop_front();
        }
        errand_bytes_ -= bytes;
        has_more = !errands_.empty();
    }
    for (const auto& errand : errands) errand.work();
    return has_more;
}

void RouterEndpoint::publish_later(MessagePtr message) {
    if (!message) return;
    const size_t bytes = message->view().size();
    const auto publish = [this, message = std::move(message)] {
        const MessageView& view = message->view();
        const ShardIndex home = home_index();
        if (view.hops >= Hub::kMostHops) return counters_.drop(home, DropReason::hops);
        counters_.messages_received[static_cast<size_t>(view.qos)]->add(home);
        const auto result = context_.home().hub().publish(view, publisher_);
        if (result.outcome == Outcome::no_subscriber) {
            counters_.drop(home, DropReason::no_subscriber);
        }
    };
    errand(publish, bytes);
}

}  // namespace trestle::zmq
