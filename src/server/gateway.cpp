#include "server/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "core/session_table.h"
#include "server/config_check_mappings.h"

namespace trestle {

namespace {

constexpr auto kUnreadyLag = std::chrono::seconds(5);

WhenFull when_full_of(const std::string& word) {
    if (word == "block") return WhenFull::block;
    if (word == "drop_oldest") return WhenFull::drop_oldest;
    if (word == "drop_newest") return WhenFull::drop_newest;
    return WhenFull::by_qos;
}

NoReceiver no_receiver_of(const std::string& word) {
    if (word == "report") return NoReceiver::report;
    return word == "refuse" ? NoReceiver::refuse : NoReceiver::accept;
}

RouteOptions options_of(const RouteConfig& config) {
    RouteOptions o;
    o.name = config.name;
    o.exclude = config.exclude;
    o.qos_in = static_cast<Qos>(config.qos_in);
    o.qos_out = static_cast<Qos>(config.qos_out);
    o.retain = config.retain;
    o.worker_acks = config.worker_acks;
    o.timeout_ms = static_cast<uint32_t>(config.timeout_ms);
    o.max_messages = static_cast<size_t>(config.queue.max_messages);
    o.max_bytes = static_cast<size_t>(config.queue.max_bytes);
    o.when_full = when_full_of(config.queue.when_full);
    o.block_ms = static_cast<uint32_t>(config.queue.block_ms);
    o.snapshot = config.snapshot;
    o.no_receiver = no_receiver_of(config.no_receiver);
    o.share = config.share;
    o.dead_letter = config.dead_letter;
    return o;
}

}  // namespace

Gateway::Gateway(const Config& config, PluginLoader& plugins, LogSink& log, Metrics& metrics)
    : first_config_(config),
      plugin_loader_(plugins),
      log_sink_(log),
      log_(log, "gateway"),
      metrics_(metrics),
      hub_(static_cast<size_t>(config.shards),
           {.max_messages = static_cast<size_t>(config.hub.max_retained_messages),
            .max_bytes = static_cast<size_t>(config.hub.max_retained_bytes)},
           static_cast<size_t>(config.hub.max_session_bytes)),
      pool_(hub_, static_cast<size_t>(config.shards)) {
    add_metrics();
}

Gateway::~Gateway() { stop_and_wait(); }

void Gateway::add_metrics() {
    metrics_.gauge_from("trestle_subscriptions", "Subscriptions of clients", {},
                        [this] { return static_cast<double>(hub_.subscriptions()); });
    metrics_.gauge_from("trestle_shared_subscriptions", "Of these, shared ones", {},
                        [this] { return static_cast<double>(hub_.shared_subscriptions()); });
    metrics_.gauge_from("trestle_retained_messages", "Retained messages", {},
                        [this] { return static_cast<double>(hub_.retained().messages()); });
    metrics_.gauge_from("trestle_retained_bytes", "Bytes of retained messages", {},
                        [this] { return static_cast<double>(hub_.retained().bytes()); });
    metrics_.gauge_from("trestle_session_bytes",
                        "Bytes that all sessions hold: messages queued and in flight, wills", {},
                        [this] { return static_cast<double>(hub_.session_bytes().held()); });
    HubCounters counters;
    counters.retained_refused =
        &metrics_.counter("trestle_retained_refused_total",
                          "Messages delivered but not retained, as a limit was reached");
    counters.shared_lost = &metrics_.counter(
        "trestle_shared_lost_total",
        "Messages for a shared group whose last member left while they were on their way");
    hub_.count_in(counters);
    metrics_.gauge_from("trestle_shards", "Threads that serve connections", {},
                        [this] { return static_cast<double>(pool_.size()); });
    metrics_.gauge_from("trestle_event_loop_lag_seconds",
                        "How late the last timer of the slowest shard ran", {},
                        [this] { return std::ranges::max(lags_of_shards()); });
    SessionTable::Books books;
    const auto sessions = [this](const char* state) {
        return &metrics_.gauge("trestle_sessions", "Sessions of clients, by state",
                               {{"state", state}});
    };
    books.connected = sessions("connected");
    books.disconnected = sessions("disconnected");
    books.expired = &metrics_.counter("trestle_sessions_expired_total",
                                      "Sessions that ended as their client stayed away too long");
    for (size_t i = 0; i < pool_.size(); ++i) pool_[i].hub().sessions().count_in(books);
}

Plugin& Gateway::plugin(const std::string& name) {
    auto& made = plugins_[name];
    if (!made) {
        std::string problem;
        const auto* descriptor = plugin_loader_.descriptor(name, problem);
        if (descriptor == nullptr) throw std::runtime_error(problem);
        made = descriptor->create(*this);
    }
    return *made;
}

std::unique_ptr<ByteStreamProtocol> Gateway::make_protocol(std::string_view name,
                                                           EndpointContext& context,
                                                           const Settings& settings) {
    const auto* provider = plugin_loader_.provider_of(name);
    if (provider == nullptr) return nullptr;
    return plugin(provider->name).make_protocol(name, context, settings);
}

void Gateway::make_endpoints(const Config& config) {
    for (const auto& one : config.endpoints) {
        Shard& home = pool_[endpoints_.size() % pool_.size()];
        Running running;
        running.kind = one.kind;
        running.context =
            std::make_unique<EndpointContext>(*this, static_cast<EndpointId>(endpoints_.size() + 1),
                                              one.name, home, Log(log_sink_, one.name));
        running.endpoint = plugin(one.plugin).make_endpoint(*running.context, one.settings);
        endpoints_.push_back(std::move(running));
    }
}

void Gateway::start() {
    make_endpoints(first_config_);
    pool_.start();
    running_ = true;
    // Routes come first: nothing that arrives may miss them.
    set_routes(first_config_, 0);
    ShardPool::run_on(pool_[0], [this] {
        hub_keeper_ = std::make_unique<HubKeeper>(
            pool_[0], metrics_, static_cast<uint32_t>(first_config_.hub.sys_interval_s));
    });
    for (auto& one : endpoints_) {
        ShardPool::run_on(one.context->home(), [&] { one.endpoint->start(); });
        one.started = true;
    }
}

EndpointId Gateway::id_of(std::string_view endpoint) const {
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        if (endpoints_[i].context->name() == endpoint) return static_cast<EndpointId>(i + 1);
    }
    return 0;
}

std::string Gateway::name_of(EndpointId id) const {
    return id == 0 || id > endpoints_.size() ? "" : endpoints_[id - 1u].context->name();
}

std::vector<Gateway::EndpointView> Gateway::endpoints() const {
    std::vector<EndpointView> all;
    for (const auto& one : endpoints_) {
        all.push_back({one.context->name(), one.kind, *one.endpoint, one.context->home()});
    }
    return all;
}

RoutePtr Gateway::make_route(const RouteConfig& config) {
    const EndpointId to = id_of(config.to);
    const EndpointId from = id_of(config.from);
    std::vector<MappingFault> faults;
    std::vector<MappingFault> warnings;
    auto mapping = Mapping::compile(mapping_spec(config), faults, warnings);
    if (!mapping) throw std::runtime_error("route " + config.name + ": " + faults.at(0).sentence);
    std::optional<Mapping> order;
    if (!config.key.empty()) {
        order = Mapping::compile({config.mqtt, config.key, true, false}, faults, warnings);
        if (!order) throw std::runtime_error("route " + config.name + ": " + faults[0].sentence);
    }
    const auto& reasons_of = endpoints_[(to != 0 ? to : from) - 1u];
    RouteSink* sink = to != 0 ? endpoints_[to - 1u].endpoint->route_sink() : nullptr;
    RouteOptions options = options_of(config);
    options.terminates_keys = to != 0 && endpoints_[to - 1u].kind.terminates_keys;
    return std::make_shared<Route>(
        std::move(options), std::move(*mapping), to, sink, from,
        make_route_ledger(metrics_, config.name, reasons_of.context->drop_counters()),
        std::move(order));
}

// What dashboards and alerts need beside the counts: how full is full, and whose queue it is.
void Gateway::describe_route(const RouteConfig& config, bool is_there) {
    const auto set = [&](const char* name, const char* help, Labels labels, int64_t value) {
        metrics_.gauge(name, help, std::move(labels)).set(metrics_.outside(), value);
    };
    set("trestle_route_queue_max_messages", "Limit of messages in the queue",
        {{"route", config.name}}, config.queue.max_messages);
    set("trestle_route_queue_max_bytes", "Limit of bytes in the queue", {{"route", config.name}},
        config.queue.max_bytes);
    for (const auto& [direction, endpoint] :
         {std::pair("to", config.to), std::pair("from", config.from)}) {
        if (endpoint.empty()) continue;
        set("trestle_route_info", "1 while the route leads to, or comes from, the endpoint",
            {{"route", config.name}, {"endpoint", endpoint}, {"direction", direction}},
            is_there ? 1 : 0);
    }
}

void Gateway::set_routes(const Config& config, uint64_t drain_ms) {
    // All of them first: when one cannot be made, nothing has changed.
    std::vector<RoutePtr> routes;
    for (const auto& wanted : config.routes) {
        const auto same = std::ranges::find(route_configs_, wanted);
        routes.push_back(same != route_configs_.end()
                             ? routes_[static_cast<size_t>(same - route_configs_.begin())]
                             : make_route(wanted));
    }
    for (const auto& one : route_configs_) describe_route(one, false);
    for (const auto& one : config.routes) describe_route(one, true);
    route_configs_ = config.routes;
    routes_ = std::move(routes);
    // An endpoint makes a route's queue when its first message comes; it lets go of a removed one
    // when the hub sends nothing more.
    hub_.set_routes(routes_);
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        const auto id = static_cast<EndpointId>(i + 1);
        std::vector<RoutePtr> mine;
        std::ranges::copy_if(routes_, std::back_inserter(mine),
                             [&](const auto& r) { return r->to() == id || r->from() == id; });
        ShardPool::run_on(endpoints_[i].context->home(),
                          [&] { endpoints_[i].endpoint->set_routes(mine, drain_ms); });
    }
}

void Gateway::change_routes(const Config& config) {
    set_routes(config, static_cast<uint64_t>(config.drain_timeout_ms));
}

std::vector<std::string> Gateway::not_ready() const {
    if (stopping_) return {"draining"};
    if (!running_) return {"starting"};
    std::vector<std::string> reasons = hung_shards(kUnreadyLag);
    for (const auto& one : endpoints_) {
        const std::string reason = one.endpoint->not_ready();
        if (!reason.empty()) reasons.push_back(one.context->name() + ": " + reason);
    }
    return reasons;
}

std::vector<double> Gateway::lags_of_shards() const {
    std::vector<double> lags;
    for (size_t i = 0; i < pool_.size(); ++i) lags.push_back(pool_[i].lag_seconds());
    return lags;
}

std::vector<std::string> Gateway::hung_shards(std::chrono::duration<double> limit) const {
    std::vector<std::string> reasons;
    const auto lags = lags_of_shards();
    for (size_t i = 0; i < lags.size(); ++i) {
        if (lags[i] < limit.count()) continue;
        reasons.push_back(
            fmt::format("shard {} has not run for {} s", i, static_cast<int64_t>(lags[i])));
    }
    return reasons;
}

}  // namespace trestle
