// Stand-ins for what the hub meets outside of core: threads, subscribers, connections, books.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/hub.h"
#include "core/ledger.h"
#include "core/route.h"
#include "core/session.h"
#include "core/subscriber.h"

namespace trestle::test {

/// A message; what is not given can be set afterwards.
inline MessageView message(std::string_view topic, std::string_view payload = {}, int qos = 0) {
    MessageView view;
    view.topic = topic;
    view.payload = payload;
    view.qos = static_cast<Qos>(qos);
    return view;
}

/// Queues work until the test runs it.
class FakeExecutor final : public Executor {
 public:
    void post(std::function<void()> work) override { queue.push_back(std::move(work)); }
    size_t run() {
        size_t ran = 0;
        for (; !queue.empty(); ++ran) {
            const auto work = std::move(queue.front());
            queue.pop_front();
            work();
        }
        return ran;
    }
    std::deque<std::function<void()>> queue;
};

/// Counts what it is told.
struct FakeCarrier final : HubShard::Carrier {
    void carry_soon() override { ++told; }
    void carry(ShardIndex /*to*/) override { ++filled; }
    int told = 0;
    int filled = 0;
};

/// Shards without threads; what they hand over is carried by hand.
struct World {
    explicit World(size_t shards, size_t max_session_bytes = SessionBytes::kDefaultMost)
        : hub(shards, {}, max_session_bytes), executors(shards), timers(shards), carriers(shards) {
        for (size_t i = 0; i < shards; ++i) {
            parts.push_back(std::make_unique<HubShard>(hub, static_cast<ShardIndex>(i),
                                                       executors[i], timers[i], carriers[i]));
        }
    }
    HubShard& operator[](size_t i) { return *parts[i]; }
    /// Carries everything to its shard; returns how many messages there were.
    size_t carry() {
        size_t carried = 0;
        for (auto& from : parts) {
            auto& outgoing = from->outgoing();
            for (size_t to = 0; to < outgoing.size(); ++to) {
                const HandOver taken = std::exchange(outgoing[to], HandOver());
                parts[to]->take_over(taken);
                for (HandOver::Reader reader(taken); reader.next();) ++carried;
            }
            from->outgoing_taken();
        }
        return carried;
    }
    void set_now(uint64_t now_ms) {
        for (auto& part : parts) part->set_now(now_ms);
    }

    Hub hub;
    std::vector<FakeExecutor> executors;
    std::vector<TimerQueue> timers;
    std::vector<FakeCarrier> carriers;
    std::vector<std::unique_ptr<HubShard>> parts;
};

/// Remembers what it was given.
class FakeSubscriber final : public Subscriber {
 public:
    struct Got {
        std::string topic, payload, properties;
        Qos qos;
        std::vector<uint32_t> ids;
        SubscribeOptions options;
        EndpointId origin;
        uint8_t hops;
        bool retain;
        uint64_t expires_at_ms;
    };
    void deliver(Delivery& delivery, const SubscriptionMatch& match) override {
        const auto& m = delivery.message();
        got.push_back({std::string(m.topic), std::string(m.payload), std::string(m.properties),
                       m.qos, match.subscription_ids, match.options, m.origin, m.hops, m.retain,
                       m.expires_at_ms});
    }
    [[nodiscard]] std::vector<std::string> payloads() const {
        std::vector<std::string> all;
        for (const auto& one : got) all.push_back(one.payload);
        return all;
    }
    std::vector<Got> got;
};

/// The counters of one endpoint's sessions.
struct Books {
    explicit Books(size_t cells = 4)
        : matched(cells),
          sent(cells),
          acked(cells),
          refused(cells),
          queued(cells),
          dropped(cells),
          queue_messages(cells),
          queue_bytes(cells),
          in_flight(cells) {
        ledger.matched = &matched;
        ledger.sent = &sent;
        ledger.acked = &acked;
        ledger.refused = &refused;
        ledger.queued = &queued;
        ledger.dropped = &dropped;
        ledger.queue_messages = &queue_messages;
        ledger.queue_bytes = &queue_bytes;
        ledger.in_flight = &in_flight;
        for (size_t i = 0; i < kDropReasons; ++i) {
            reasons.push_back(std::make_unique<Counter>(cells));
            ledger.reasons[i] = reasons.back().get();
        }
    }
    [[nodiscard]] uint64_t dropped_for(DropReason reason) const {
        return reasons[static_cast<size_t>(reason)]->value();
    }
    [[nodiscard]] int64_t balance() const {
        return static_cast<int64_t>(matched.value()) - static_cast<int64_t>(sent.value()) -
               static_cast<int64_t>(acked.value()) - static_cast<int64_t>(refused.value()) -
               static_cast<int64_t>(dropped.value()) - queue_messages.value() - in_flight.value();
    }
    [[nodiscard]] uint64_t reasons_sum() const {
        uint64_t all = 0;
        for (const auto& one : reasons) all += one->value();
        return all;
    }
    Counter matched, sent, acked, refused, queued, dropped;
    Gauge queue_messages, queue_bytes, in_flight;
    std::vector<std::unique_ptr<Counter>> reasons;
    SessionLedger ledger;
};

/// The counters of one route.
struct RouteBooks {
    explicit RouteBooks(size_t cells = 4) {
        const auto counter = [&] {
            counters.push_back(std::make_unique<Counter>(cells));
            return counters.back().get();
        };
        for (auto* one :
             {&ledger.matched, &ledger.sent, &ledger.acked, &ledger.queued, &ledger.refused,
              &ledger.timed_out, &ledger.dead_lettered, &ledger.dropped}) {
            *one = counter();
        }
        for (auto* one : {&ledger.queue_messages, &ledger.queue_bytes, &ledger.in_flight}) {
            gauges.push_back(std::make_unique<Gauge>(cells));
            *one = gauges.back().get();
        }
        for (auto& reason : ledger.reasons) reason = counter();
    }
    [[nodiscard]] uint64_t dropped_for(DropReason reason) const {
        return ledger.reasons[static_cast<size_t>(reason)]->value();
    }
    /// What was matched and has no fate yet, though it is neither queued nor in flight.
    [[nodiscard]] int64_t balance() const {
        const auto& l = ledger;
        const uint64_t out = l.sent->value() + l.acked->value() + l.refused->value() +
                             l.timed_out->value() + l.dead_lettered->value() + l.dropped->value();
        return static_cast<int64_t>(l.matched->value()) - static_cast<int64_t>(out) -
               l.queue_messages->value() - l.in_flight->value();
    }
    std::vector<std::unique_ptr<Counter>> counters;
    std::vector<std::unique_ptr<Gauge>> gauges;
    RouteLedger ledger;
};

/// An endpoint that routes lead to; does what `work` says with each copy.
class FakeRouteSink final : public RouteSink {
 public:
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override {
        got.push_back({route->name(), std::string(key), shard});
        if (work) work(delivery);
    }
    bool offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
               Delivery& delivery) override {
        if (!refuses) accept(shard, route, key, delivery);
        return !refuses;
    }
    struct Got {
        std::string route, key;
        ShardIndex shard;
        bool operator==(const Got&) const = default;
    };
    std::vector<Got> got;
    std::function<void(Delivery&)> work;
    bool refuses = false;  // what is offered
};

inline RoutePtr make_route(const std::string& name, const std::string& mqtt, const std::string& zmq,
                           EndpointId to, RouteSink& sink, const RouteBooks& books,
                           std::vector<std::string> exclude = {}) {
    std::vector<MappingFault> faults;
    std::vector<MappingFault> warnings;
    auto mapping = Mapping::compile({mqtt, zmq, true, false}, faults, warnings);
    if (!mapping) throw std::runtime_error(faults.at(0).sentence);
    RouteOptions options;
    options.name = name;
    options.exclude = std::move(exclude);
    return std::make_shared<Route>(options, *mapping, to, &sink, EndpointId{0}, books.ledger);
}

/// A connection that writes down what it is asked to send.
class FakeSink final : public SessionSink {
 public:
    struct Sent {
        std::string payload;
        uint16_t packet_id;
        Qos qos;
        bool dup;
        bool retain;
        std::vector<uint32_t> ids;
    };
    [[nodiscard]] bool writable() const override { return room > 0; }
    bool send(const OutgoingPublish& p) override {
        if (p.message.payload.size() > largest) return false;
        if (room > 0) --room;
        sent.push_back({std::string(p.message.payload),
                        p.packet_id,
                        p.qos,
                        p.dup,
                        p.retain,
                        {p.subscription_ids.begin(), p.subscription_ids.end()}});
        return true;
    }
    void send_pubrel(uint16_t packet_id) override { released.push_back(packet_id); }
    [[nodiscard]] std::vector<std::string> payloads() const {
        std::vector<std::string> all;
        for (const auto& one : sent) all.push_back(one.payload);
        return all;
    }

    size_t room = SIZE_MAX / 2;  // messages until it is full
    size_t largest = SIZE_MAX;   // bytes of payload
    std::vector<Sent> sent;
    std::vector<uint16_t> released;
};

}  // namespace trestle::test
