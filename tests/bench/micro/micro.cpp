// Parts of the way of a message, timed by themselves with Google Benchmark: matching, codec and the
// retained store, each small and large. What should not depend on the size shows it here.
//
//     ./dev bench micro [--benchmark_filter=Retained]
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "../../unit/core/fakes.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"

namespace trestle::bench {
namespace {

/// Many filters of every shape, each of which matches about one topic of `topic`.
std::string mixed_filter(size_t i) {
    const std::string n = std::to_string(i);
    switch (i % 10) {
        case 0:
            return "+/" + n + "/temperature";
        case 1:
        case 2:
            return "site/" + n + "/#";
        case 3:
        case 4:
        case 5:
            return "site/" + n + "/+";
        default:
            return "site/" + n + "/temperature";
    }
}

std::string topic(size_t i) { return "site/" + std::to_string(i) + "/temperature"; }

/// Counts, and nothing else.
class Receiver final : public Subscriber {
 public:
    void deliver(Delivery& delivery, const SubscriptionMatch&) override {
        bytes += delivery.message().payload.size();
    }
    size_t bytes = 0;
};

struct Subscribed {
    explicit Subscribed(size_t subscriptions) {
        for (size_t i = 0; i < subscriptions; ++i) {
            world[0].subscribe(receiver, mixed_filter(i), {});
        }
    }
    test::World world{1};
    Receiver receiver;
    Publisher publisher;
};

// --- matching ---

void publish_same_topic(benchmark::State& state) {
    Subscribed all(static_cast<size_t>(state.range(0)));
    const std::string name = topic(7);
    const MessageView message = test::message(name, "21.5");
    for (auto _ : state) all.world[0].publish(message, all.publisher);
    benchmark::DoNotOptimize(all.receiver.bytes);
}

/// So many topics that no cache holds them; each matches about one subscription.
void publish_new_topic(benchmark::State& state) {
    const auto subscriptions = static_cast<size_t>(state.range(0));
    Subscribed all(subscriptions);
    std::vector<std::string> topics;
    for (size_t i = 0; i < 100'000; ++i) {
        topics.push_back("site/" + std::to_string(i % subscriptions) + "/value" +
                         std::to_string(i));
    }
    size_t at = 0;
    for (auto _ : state) {
        all.world[0].publish(test::message(topics[at], "21.5"), all.publisher);
        if (++at == topics.size()) at = 0;
    }
    benchmark::DoNotOptimize(all.receiver.bytes);
}

void subscribe_and_unsubscribe(benchmark::State& state) {
    Subscribed all(static_cast<size_t>(state.range(0)));
    Receiver other;
    for (auto _ : state) {
        all.world[0].subscribe(other, "site/+/coming/and/going", {});
        all.world[0].unsubscribe(other, "site/+/coming/and/going");
    }
}

/// One of so many on the same filter, or in the same group, leaves and comes again.
void leave_and_join_a_crowd(benchmark::State& state, const char* group) {
    test::World world{1};
    std::vector<Receiver> crowd(static_cast<size_t>(state.range(0)));
    const auto join = [&](Receiver& one) {
        return group == nullptr ? world[0].subscribe(one, "site/+/news", {})
                                : world[0].subscribe_shared(one, group, "site/+/news", {});
    };
    const auto leave = [&](Receiver& one) {
        return group == nullptr ? world[0].unsubscribe(one, "site/+/news")
                                : world[0].unsubscribe_shared(one, group, "site/+/news");
    };
    for (auto& one : crowd) join(one);
    size_t at = 0;
    for (auto _ : state) {
        leave(crowd[at]);
        join(crowd[at]);
        at = (at + 7'919) % crowd.size();
    }
}

void publish_to_one_of_a_group(benchmark::State& state) {
    test::World world{1};
    std::vector<Receiver> crowd(static_cast<size_t>(state.range(0)));
    for (auto& one : crowd) world[0].subscribe_shared(one, "group", "site/+/news", {});
    Publisher publisher;
    const MessageView message = test::message("site/1/news", "21.5");
    for (auto _ : state) world[0].publish(message, publisher);
}

BENCHMARK_CAPTURE(leave_and_join_a_crowd, filter, nullptr)->Arg(100)->Arg(100'000);
BENCHMARK_CAPTURE(leave_and_join_a_crowd, group, "group")->Arg(100)->Arg(100'000);
BENCHMARK(publish_to_one_of_a_group)->Arg(100)->Arg(100'000);
BENCHMARK(publish_same_topic)->Arg(100)->Arg(100'000);
BENCHMARK(publish_new_topic)->Arg(100)->Arg(100'000);
BENCHMARK(subscribe_and_unsubscribe)->Arg(100)->Arg(100'000);

// --- codec ---

std::string encoded_publish(mqtt::Version version, size_t payload) {
    const std::string bytes(payload, 'x');
    mqtt::Publish packet;
    packet.topic = "site/hall/temperature";
    packet.payload = bytes;
    packet.qos = 1;
    packet.packet_id = 7;
    // In 5.0 with a content type and a user property.
    if (version == mqtt::Version::v5) {
        packet.properties = {"\x03\x00\x04text\x26\x00\x01k\x00\x01v", 14};
    }
    OutBuffer out;
    (void)mqtt::encode_publish(out, version, packet);
    return std::string(out.view());
}

void decode_publish(benchmark::State& state) {
    const auto version = static_cast<mqtt::Version>(state.range(0));
    const std::string bytes = encoded_publish(version, 64);
    std::string scratch;
    for (auto _ : state) {
        mqtt::Frame frame;
        mqtt::Fault fault;
        mqtt::Publish packet;
        if (mqtt::read_frame(bytes, mqtt::kLargestPacket, version, frame, fault) !=
                mqtt::FrameStatus::ready ||
            mqtt::decode_publish(version, frame, packet, scratch)) {
            return state.SkipWithError("it does not decode");
        }
        benchmark::DoNotOptimize(packet);
    }
}

void encode_publish(benchmark::State& state) {
    const auto version = static_cast<mqtt::Version>(state.range(0));
    const std::string bytes = encoded_publish(version, 64);
    mqtt::Frame frame;
    mqtt::Fault fault;
    mqtt::Publish packet;
    std::string scratch;
    (void)mqtt::read_frame(bytes, mqtt::kLargestPacket, version, frame, fault);
    (void)mqtt::decode_publish(version, frame, packet, scratch);
    OutBuffer out;
    for (auto _ : state) {
        out.clear();
        benchmark::DoNotOptimize(mqtt::encode_publish(out, version, packet));
    }
}

void decode_subscribe(benchmark::State& state) {
    std::vector<mqtt::Subscription> filters(10);
    for (auto& one : filters) one.filter = "site/+/temperature";
    OutBuffer out;
    (void)mqtt::encode_subscribe(out, mqtt::Version::v5, 7, filters);
    for (auto _ : state) {
        mqtt::Frame frame;
        mqtt::Fault fault;
        mqtt::Subscribe packet;
        (void)mqtt::read_frame(out.view(), mqtt::kLargestPacket, mqtt::Version::v5, frame, fault);
        if (mqtt::decode_subscribe(mqtt::Version::v5, frame, packet)) {
            return state.SkipWithError("it does not decode");
        }
        for (const auto& one : packet.filters) benchmark::DoNotOptimize(one);
    }
}

constexpr int kV311 = static_cast<int>(mqtt::Version::v311);
constexpr int kV5 = static_cast<int>(mqtt::Version::v5);
BENCHMARK(decode_publish)->Arg(kV311)->Arg(kV5);
BENCHMARK(encode_publish)->Arg(kV311)->Arg(kV5);
BENCHMARK(decode_subscribe);

// --- retained messages ---

/// 100 devices to a site, one topic each.
std::string retained_topic(size_t i) {
    return "site/" + std::to_string(i / 100) + "/device/" + std::to_string(i % 100) + "/state";
}

/// Made once for each size: a million takes seconds.
RetainedTree& retained(size_t topics) {
    static RetainedTree small{{}}, large{{.max_messages = 2'000'000}};
    RetainedTree& store = topics > 1'000 ? large : small;
    for (size_t i = store.messages(); i < topics; ++i) {
        store.keep(Message::copy_of(test::message(retained_topic(i), "on")), 0);
    }
    return store;
}

void retained_replace(benchmark::State& state) {
    const auto topics = static_cast<size_t>(state.range(0));
    RetainedTree& store = retained(topics);
    size_t at = 0;
    for (auto _ : state) {
        store.keep(Message::copy_of(test::message(retained_topic(at), "off")), 0);
        at = (at + 7'919) % topics;
    }
}

/// The whole walk of one subscription, in portions as sessions do it.
void retained_read(benchmark::State& state, const char* filter) {
    RetainedTree& store = retained(static_cast<size_t>(state.range(0)));
    size_t found = 0;
    std::vector<MessagePtr> out;
    for (auto _ : state) {
        RetainedCursor cursor;
        cursor.filter = filter;
        while (!cursor.done) {
            out.clear();
            store.collect(cursor, 256, 0, out);
            found += out.size();
        }
    }
    state.SetItemsProcessed(static_cast<int64_t>(found));
    state.counters["matches"] =
        static_cast<double>(found) / static_cast<double>(state.iterations());
}

BENCHMARK(retained_replace)->Arg(100)->Arg(1'000'000);
BENCHMARK_CAPTURE(retained_read, one, "site/0/device/50/state")->Arg(100)->Arg(1'000'000);
BENCHMARK_CAPTURE(retained_read, none, "site/0/nothing/+")->Arg(100)->Arg(1'000'000);
BENCHMARK_CAPTURE(retained_read, one_site, "site/0/#")->Arg(100)->Arg(1'000'000);
BENCHMARK_CAPTURE(retained_read, one_of_each_site, "site/+/device/7/state")
    ->Arg(100)
    ->Arg(1'000'000);
BENCHMARK_CAPTURE(retained_read, all, "#")->Arg(100)->Arg(1'000'000);

}  // namespace
}  // namespace trestle::bench

BENCHMARK_MAIN();
