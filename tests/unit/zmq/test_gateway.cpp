#include "test_gateway.h"

#include <algorithm>

namespace trestle::zmq {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

uint64_t steady_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

Settings settings_for(const std::string& socket,
                      std::vector<std::pair<std::string, Settings::Value>> more) {
    Settings settings = Settings::defaults(describe_options());
    settings.set("socket", socket, true);
    settings.set("bind", std::vector<std::string>{"tcp://127.0.0.1:*"}, true);
    for (auto& [key, value] : more) settings.set(key, std::move(value), true);
    return settings;
}

TestGateway::TestGateway(size_t shards) : metrics_(shards), hub_(shards) {
    std::vector<Shard*> all;
    for (size_t i = 0; i < shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(hub_, static_cast<ShardIndex>(i)));
        all.push_back(shards_.back().get());
    }
    for (auto& one : shards_) one->connect(all);
    for (auto& one : shards_) threads_.emplace_back([&one] { one->run(); });
}

TestGateway::~TestGateway() {
    for (auto& one : shards_) one->stop();
    for (auto& thread : threads_) thread.join();
    hub_.set_routes({});
    routes_.clear();
    endpoints_.clear();
}

void TestGateway::run_on(Shard& shard, const std::function<void()>& work) {
    std::promise<void> done;
    shard.post([&] {
        try {
            work();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    done.get_future().get();
}

Endpoint& TestGateway::add(const std::string& name,
                           const std::function<std::unique_ptr<Endpoint>(EndpointContext&)>& make) {
    Running running;
    const auto id = static_cast<EndpointId>(endpoints_.size() + 1);
    Shard& home = *shards_[endpoints_.size() % shards_.size()];
    running.context = std::make_unique<EndpointContext>(*this, id, name, home, Log());
    running.endpoint = make(*running.context);
    Endpoint& endpoint = *running.endpoint;
    try {
        run_on(home, [&] { endpoint.start(); });
    } catch (...) {
        run_on(home, [&] { running.endpoint.reset(); });
        throw;
    }
    endpoints_.push_back(std::move(running));
    return endpoint;
}

EndpointId TestGateway::id_of(const std::string& name) const {
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        if (endpoints_[i].context->name() == name) return static_cast<EndpointId>(i + 1);
    }
    return 0;
}

RoutePtr TestGateway::make_route(const RouteSpec& spec) {
    const EndpointId to = id_of(spec.to);
    const EndpointId from = id_of(spec.from);
    std::vector<MappingFault> faults;
    std::vector<MappingFault> warnings;
    auto mapping = Mapping::compile({spec.mqtt, spec.zmq, to != 0, from != 0}, faults, warnings);
    EXPECT_TRUE(mapping) << (faults.empty() ? "" : faults[0].sentence);
    const auto& concerned = endpoints_[(to != 0 ? to : from) - 1U];
    RouteOptions options = spec.options;
    options.name = spec.name;
    return std::make_shared<Route>(
        options, std::move(*mapping), to,
        to != 0 ? endpoints_[to - 1U].endpoint->route_sink() : nullptr, from,
        make_route_ledger(metrics_, spec.name, concerned.context->drop_counters()));
}

void TestGateway::set_routes(const std::vector<RouteSpec>& specs, uint64_t drain_ms) {
    routes_.clear();
    for (const auto& spec : specs) routes_.push_back(make_route(spec));
    hub_.set_routes(routes_);
    for (size_t i = 0; i < endpoints_.size(); ++i) {
        const auto id = static_cast<EndpointId>(i + 1);
        std::vector<RoutePtr> mine;
        std::ranges::copy_if(routes_, std::back_inserter(mine),
                             [&](const auto& r) { return r->to() == id || r->from() == id; });
        run_on(endpoints_[i].context->home(),
               [&] { endpoints_[i].endpoint->set_routes(mine, drain_ms); });
    }
}

PublishResult TestGateway::publish(const Publish& message, size_t shard,
                                   const std::weak_ptr<AckReceiver>* waiter, uint64_t token) {
    PublishResult result;
    run_on(*shards_[shard], [&] {
        MessageView view;
        view.topic = message.topic;
        view.payload = message.payload;
        view.qos = message.qos;
        view.origin = message.origin;
        Publisher from;
        from.endpoint = message.origin;
        from.client_id = "tester";
        result = shards_[shard]->hub().publish(view, from, waiter, token);
    });
    return result;
}

bool TestGateway::stop(Endpoint& endpoint, uint64_t within_ms) {
    std::promise<void> done;
    const auto its = std::ranges::find_if(
        endpoints_, [&](const auto& one) { return one.endpoint.get() == &endpoint; });
    its->context->home().post([&] {
        its->context->home().touch_clock();
        endpoint.stop(steady_ms() + within_ms, [&] { done.set_value(); });
    });
    return done.get_future().wait_for(std::chrono::milliseconds(within_ms) + kPatience) ==
           std::future_status::ready;
}

double TestGateway::metric(std::string_view name, const Labels& labels) const {
    double sum = 0;
    for (const auto& family : metrics_.read()) {
        if (family.name != name) continue;
        for (const auto& sample : family.samples) {
            const bool has_all = std::ranges::all_of(labels, [&](const auto& label) {
                return std::ranges::find(sample.labels, label) != sample.labels.end();
            });
            if (has_all) sum += sample.value;
        }
    }
    return sum;
}

double TestGateway::imbalance(const std::string& route) const {
    double rest = metric("trestle_route_matched_total", {{"route", route}});
    for (const auto* word : {"sent", "acked", "refused", "timed_out", "dead_lettered", "dropped"}) {
        rest -= outcome(route, word);
    }
    rest -= metric("trestle_route_queue_messages", {{"route", route}});
    return rest - metric("trestle_route_in_flight", {{"route", route}});
}

void set_option(void* socket, int option, int value) {
    ASSERT_EQ(0, zmq_setsockopt(socket, option, &value, sizeof value));
}

std::function<void(void*)> subscribed_to(std::vector<std::string> prefixes) {
    return [prefixes = std::move(prefixes)](void* socket) {
        for (const auto& prefix : prefixes) {
            zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix.data(), prefix.size());
        }
    };
}

Peer::Peer(int type, const std::string& address, const std::function<void(void*)>& prepare)
    : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    set_option(socket_, ZMQ_LINGER, 0);
    if (prepare) prepare(socket_);
    EXPECT_EQ(0, zmq_connect(socket_, address.c_str())) << address;
}

Peer::~Peer() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
}

Parts Peer::receive(int timeout_ms) {
    set_option(socket_, ZMQ_RCVTIMEO, timeout_ms);
    Parts parts;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    do {
        if (zmq_msg_recv(&frame, socket_, 0) < 0) break;
        parts.emplace_back(static_cast<char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
    } while (zmq_msg_more(&frame) != 0);
    zmq_msg_close(&frame);
    return parts;
}

void Peer::send(const Parts& frames) {
    for (size_t i = 0; i < frames.size(); ++i) {
        const int flags = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
        ASSERT_GE(zmq_send(socket_, frames[i].data(), frames[i].size(), flags), 0);
    }
}

Collector::Collector(TestGateway& gateway, const std::string& filter, size_t shard)
    : gateway_(gateway), filter_(filter), shard_(shard) {
    TestGateway::run_on(gateway.shard(shard), [&] {
        SubscribeOptions options;
        options.qos = Qos::exactly_once;
        gateway.shard(shard).hub().subscribe(*this, filter, options);
    });
}

Collector::~Collector() {
    TestGateway::run_on(gateway_.shard(shard_),
                        [&] { gateway_.shard(shard_).hub().unsubscribe(*this, filter_); });
}

void Collector::deliver(Delivery& delivery, const SubscriptionMatch& /*match*/) {
    const auto& m = delivery.message();
    const std::lock_guard guard(mutex_);
    got_.push_back({std::string(m.topic), std::string(m.payload), std::string(m.properties), m.qos,
                    m.retain, m.expires_at_ms});
}

std::vector<Collector::Got> Collector::got() {
    const std::lock_guard guard(mutex_);
    return got_;
}

std::vector<Collector::Got> Collector::wait_for(size_t count) {
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard guard(mutex_);
        return got_.size() >= count;
    }));
    return got();
}

}  // namespace trestle::zmq
