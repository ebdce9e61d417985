#include "world.h"

#include <chrono>

#include "core/session_table.h"
#include "must.h"

namespace {

constexpr uint64_t kBeginMs = 1'000'000;
uint64_t fake_now_ms = kBeginMs;

}  // namespace

// In the place of the library's: the shards' clock stands still until it is moved.
std::chrono::steady_clock::time_point std::chrono::steady_clock::now() noexcept {
    return time_point(std::chrono::milliseconds(fake_now_ms));
}

namespace trestle::fuzz {

namespace {

constexpr size_t kMostShards = 2;

/// One for all worlds: whatever a world has counted is settled when it ends.
Metrics& all_metrics() {
    static Metrics metrics(kMostShards);
    return metrics;
}

Settings choose_settings(Input& input) {
    constexpr int64_t kReceive[] = {1024, 1, 2, 5};
    constexpr int64_t kAliases[] = {64, 0, 2};
    constexpr int64_t kInflight[] = {1024, 1, 3};
    constexpr int64_t kQueued[] = {1000, 1, 4};
    constexpr int64_t kBytes[] = {1 << 20, 1024, 1500};
    constexpr int64_t kExpiry[] = {604'800, 0, 10};
    constexpr int64_t kPacket[] = {1 << 20, 64, 300};
    Settings s = Settings::defaults(mqtt::protocol_options());
    s.set("receive_maximum", input.one_of(kReceive), true);
    s.set("topic_alias_maximum", input.one_of(kAliases), true);
    s.set("max_inflight", input.one_of(kInflight), true);
    s.set("max_queued_messages", input.one_of(kQueued), true);
    s.set("max_queued_bytes", input.one_of(kBytes), true);
    s.set("session_expiry_maximum", input.one_of(kExpiry), true);
    s.set("maximum_packet_size", input.one_of(kPacket), true);
    s.set("max_write_buffer", int64_t{4096}, true);
    const uint8_t flags = input.byte();
    s.set("when_full", std::string((flags & 1) != 0 ? "drop_newest" : "drop_oldest"), true);
    s.set("queue_qos0_offline", (flags & 2) != 0, true);
    s.set("check_payload_format", (flags & 4) != 0, true);
    s.set("retain_available", (flags & 24) != 24, true);
    s.set("shared_subscription_available", (flags & 96) != 96, true);
    if ((flags & 128) != 0) s.set("server_keep_alive", int64_t{20}, true);
    const uint8_t more = input.byte();
    if ((more & 7) == 7) s.set("maximum_qos", int64_t{1}, true);
    if ((more & 56) == 56) s.set("max_connections", int64_t{2}, true);
    if ((more & 192) == 192) s.set("max_subscriptions", int64_t{2}, true);
    return s;
}

}  // namespace

std::string Journal::number_of_next() {
    ++last_;
    std::string bytes(kNumberBytes, '\0');
    for (size_t i = 0; i < kNumberBytes; ++i) bytes[i] = static_cast<char>(last_ >> (8 * i));
    return bytes;
}

uint32_t Journal::number_in(std::string_view payload) {
    if (payload.size() < kNumberBytes) return 0;
    uint32_t number = 0;
    for (size_t i = 0; i < kNumberBytes; ++i) {
        number |= uint32_t{static_cast<uint8_t>(payload[i])} << (8 * i);
    }
    return number;
}

void Journal::note_sent(std::string_view topic, std::string_view payload, bool sure) {
    const uint32_t number = number_in(payload);
    const auto [at, fresh] =
        sent_.try_emplace(number, Sent{std::string(topic), std::string(payload), sure});
    if (!fresh && (!sure || at->second.topic != topic || at->second.payload != payload)) {
        at->second.sure = false;
    }
}

void Journal::note_handshake(std::string_view payload, std::shared_ptr<Handshake> handshake) {
    if (number_in(payload) == 0) return;  // such messages cannot be told apart
    auto& known = handshakes_[number_in(payload)];
    if (known && known != handshake) handshake->allowed = known->allowed = 1'000'000;
    known = std::move(handshake);
}

void Journal::on_entered(std::string_view payload) {
    const auto found = handshakes_.find(number_in(payload));
    if (found == handshakes_.end()) return;
    Handshake& handshake = *found->second;
    ++handshake.entered;
    must(handshake.entered <= handshake.allowed, "a QoS 2 message enters the hub once");
}

void Journal::on_refused(uint32_t number) {
    const auto found = handshakes_.find(number);
    if (found != handshakes_.end()) ++found->second->allowed;
}

void Journal::check_delivered(std::string_view topic, std::string_view payload) const {
    const auto found = sent_.find(number_in(payload));
    must(found != sent_.end(), "only what was published is delivered");
    if (!found->second.sure) return;
    must(found->second.topic == topic, "under its topic");
    must(found->second.payload == payload, "with its payload");
}

World::World(Input& input, size_t shards) : hub_(shards) {
    fake_now_ms = kBeginMs;  // in a million worlds it would pass what the clock's type can hold
    std::vector<Shard*> all;
    for (size_t i = 0; i < shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(hub_, static_cast<ShardIndex>(i)));
        all.push_back(shards_.back().get());
    }
    for (auto& one : shards_) one->connect(all);
    for (size_t i = 0; i < kEndpoints; ++i) {
        One one;
        one.context = std::make_unique<EndpointContext>(
            *this, static_cast<EndpointId>(i + 1), i == 0 ? "first" : "second", *shards_[0], Log());
        one.service = std::make_unique<mqtt::Service>(*one.context, choose_settings(input));
        endpoints_.push_back(std::move(one));
    }
    sink_.work = [this](Delivery& delivery) { on_route(delivery); };
    hub_.set_routes(
        {test::make_route("jobs", "a/{x}", "k.{x}", kEndpoints + 1, sink_, route_books_)});
    spies_ = input.below(2) == 0;
    if (!spies_) return;
    shards_[0]->hub().subscribe(spy_, "#", {.qos = Qos::exactly_once});
    shards_[0]->hub().subscribe(spy_, "$own/#", {.qos = Qos::exactly_once});
}

World::~World() {
    deferred_.clear();
    settle();
    if (spies_) {
        shards_[0]->hub().unsubscribe(spy_, "#");
        shards_[0]->hub().unsubscribe(spy_, "$own/#");
    }
    hub_.set_routes({});
    must(hub_.subscriptions() == 0, "no subscription outlives its session");
}

Metrics& World::metrics() { return all_metrics(); }

Shard& World::home_of(std::string_view client_id) {
    unsigned sum = 0;
    for (const char c : client_id) sum += static_cast<uint8_t>(c);
    return *shards_[sum % shards_.size()];
}

bool World::turn() {
    bool any = false;
    for (auto& one : shards_) any |= one->run_pending();
    return any;
}

void World::settle() {
    int turns = 0;
    while (turn()) must(++turns < 100'000, "the shards come to rest");
}

void World::advance(uint64_t ms) {
    fake_now_ms += ms;
    for (auto& one : shards_) {
        one->touch_clock();
        one->timers().run(one->now_ms());
    }
    hub_.retained().remove_expired(fake_now_ms, 100);
}

void World::publish(Input& input, std::string_view topic, uint8_t qos, bool retain) {
    std::string payload = journal_.number_of_next();
    payload.append(input.below(200), 'z');
    journal_.note_sent(topic, payload, true);
    MessageView view = test::message(topic, payload, qos);
    view.retain = retain;
    view.origin = kEndpoints + 1;
    if (input.once_in(4)) view.expires_at_ms = fake_now_ms + input.below(20) * 1000;
    shards_[input.below(shards_.size())]->hub().publish(view, outside_);
}

void World::on_route(Delivery& delivery) {
    const uint32_t number = Journal::number_in(delivery.message().payload);
    sink_.got.clear();
    if (route_mode_ == 1 && delivery.can_defer()) {
        deferred_.push_back({delivery.defer(), number});
    } else if (route_mode_ == 2) {
        journal_.on_refused(number);
        delivery.worsen(Outcome::queue_full);
    } else if (route_mode_ == 3) {
        journal_.on_refused(number);
        delivery.worsen(Outcome::given_up);
    }
}

void World::settle_one_ack(Input& input) {
    if (deferred_.empty()) return;
    constexpr Outcome kOutcomes[] = {Outcome::accepted, Outcome::queue_full, Outcome::timed_out,
                                     Outcome::given_up, Outcome::dead_lettered};
    const size_t place = input.below(deferred_.size());
    const Outcome outcome = input.one_of(kOutcomes);
    if (outcome != Outcome::accepted) journal_.on_refused(deferred_[place].number);
    deferred_[place].ack.settle(outcome);
    deferred_.erase(deferred_.begin() + static_cast<ptrdiff_t>(place));
}

void World::check_books() {
    for (auto& one : endpoints_) {
        const SessionLedger& books = one.service->ledger();
        const auto value = [](const Counter* counter) {
            return static_cast<int64_t>(counter->value());
        };
        must(value(books.matched) == value(books.sent) + value(books.acked) + value(books.refused) +
                                         value(books.dropped) + books.queue_messages->value() +
                                         books.in_flight->value(),
             "the books balance");
        must(books.queue_messages->value() >= 0 && books.in_flight->value() >= 0 &&
                 books.queue_bytes->value() >= 0,
             "nothing is counted out twice");
        must(one.service->counters().connections->value() >= 0, "connections");
    }
}

void World::stop() {
    settle();
    size_t done = 0;
    for (auto& one : endpoints_) {
        one.service->stop(fake_now_ms + 5'000, [&done] { ++done; });
    }
    settle();
    advance(5'000);
    settle();
    must(done == kEndpoints, "an endpoint stops within its time");
    deferred_.clear();
    settle();
    for (auto& one : shards_) one->hub().sessions().end_all(DropReason::shutdown);
    settle();
    check_books();
    for (auto& one : endpoints_) {
        const SessionLedger& books = one.service->ledger();
        must(books.queue_messages->value() == 0 && books.queue_bytes->value() == 0 &&
                 books.in_flight->value() == 0,
             "nothing is left in queues when all sessions have ended");
        must(one.service->counters().connections->value() == 0, "and nobody is connected");
    }
}

}  // namespace trestle::fuzz
