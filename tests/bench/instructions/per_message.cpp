// What one message costs in instructions and allocations, by itself: codec, rules, hub and session
// over streams without sockets, one shard, no threads, no clock. The same each time.
//
//     per_message SCENARIO     prints {"messages": n, "allocations": n}
//
// Under `valgrind --tool=callgrind --toggle-collect=measured` the instructions are those of the
// messages alone (instructions.py does that).
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "allocations.h"
#include "memory_stream.h"
#include "mqtt/service.h"

namespace trestle::bench {
namespace {

constexpr size_t kBatch = 64;   // messages per turn of the loop
constexpr size_t kWarmUp = 20;  // turns; more where there are many topics

class OneShard final : public Host {
 public:
    OneShard() { shard_.connect({&shard_}); }
    size_t shard_count() const override { return 1; }
    Shard& shard(size_t) override { return shard_; }
    Metrics& metrics() override { return metrics_; }
    Hub& hub() { return hub_; }
    Shard& home_of(std::string_view) override { return shard_; }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view, EndpointContext&,
                                                      const Settings&) override {
        return nullptr;
    }
    template <class F>
    void turn(F work) {
        shard_.post(work);
        while (shard_.run_pending()) {
        }
    }

 private:
    Hub hub_{1};
    Metrics metrics_{1};
    Shard shard_{hub_, 0};
};

std::string u16(size_t n) { return {static_cast<char>(n >> 8), static_cast<char>(n)}; }
std::string text(const std::string& s) { return u16(s.size()) + s; }

std::string packet(unsigned header, const std::string& body) {
    std::string out(1, static_cast<char>(header));
    size_t left = body.size();
    do {
        const size_t more = left >= 128 ? 128 : 0;
        out += static_cast<char>(left % 128 + more);
        left /= 128;
    } while (left != 0);
    return out + body;
}

std::string publish(const std::string& topic, unsigned qos, size_t id, size_t payload) {
    return packet(0x30 | qos << 1,
                  text(topic) + (qos != 0 ? u16(id) : "") + std::string(payload, 'x'));
}

struct Scenario {
    const char* name;
    unsigned qos;
    size_t payload;
    size_t subscribers;
    size_t topics;  // 1: all subscribe to it; more: filters of all kinds, one match for each topic
    size_t turns;
    size_t different = 4 * kBatch;  // messages, sent in turn
    bool shared = false;            // the subscribers are one group
    bool watched = false;           // by a live tail of everything that has shown its share
};

// The last two: topics that the cache of matches holds, and more than it can.
constexpr Scenario kScenarios[] = {
    {"pair_qos0", 0, 64, 1, 1, 200},
    {"pair_qos0_watched", 0, 64, 1, 1, 200, 4 * kBatch, false, true},
    {"pair_qos1", 1, 64, 1, 1, 200},
    {"pair_qos2", 2, 64, 1, 1, 200},
    {"pair_qos0_1k", 0, 1024, 1, 1, 200},
    {"pair_qos1_1k", 1, 1024, 1, 1, 200},
    {"fan_out_qos0", 0, 64, 100, 1, 10},
    {"fan_out_qos1", 1, 64, 100, 1, 10},
    {"shared_qos0", 0, 64, 100, 1, 200, 4 * kBatch, true},
    {"subscriptions_cached", 0, 64, 50, 100'000, 200, 20'000},
    {"subscriptions_missed", 0, 64, 50, 100'000, 200, 100'000},
};

class LiveTail final : public Tap {
 public:
    LiveTail() : Tap("#", 1, 1) {}

 private:
    void show(ShardIndex, uint64_t, const MessageView&, const Publisher&) override {}
};

class Run {
 public:
    explicit Run(const Scenario& scenario)
        : scenario_(scenario),
          context_(host_, 1, "devices", host_.shard(0), Log()),
          service_(context_, Settings::defaults(mqtt::protocol_options())) {
        if (scenario.watched) host_.hub().add_tap(std::make_shared<LiveTail>());
        publisher_ = connect("publisher");
        for (size_t i = 0; i < scenario.subscribers; ++i) {
            subscribers_.push_back(connect("subscriber" + std::to_string(i)));
        }
        for (size_t i = 0; i < scenario.topics; ++i) subscribe(i);
        if (scenario.topics == 1) {
            for (size_t i = 1; i < scenario.subscribers; ++i) subscribe_to(i, topic(0));
        }
        prepare();
    }

    void turns(size_t count) {
        for (size_t i = 0; i < count; ++i) turn(done_++);
    }
    [[nodiscard]] size_t delivered_bytes() const {
        size_t bytes = 0;
        for (const auto* s : subscribers_) bytes += s->written();
        return bytes;
    }

 private:
    MemoryStream* connect(const std::string& id) {
        MemoryStream* raw = nullptr;
        host_.turn([&] {
            auto stream = std::make_unique<MemoryStream>(host_.shard(0));
            raw = stream.get();
            service_.serve(std::move(stream));
            raw->feed(packet(0x10, text("MQTT") + '\4' + '\2' + u16(0) + text(id)));
        });
        return raw;
    }

    void subscribe_to(size_t subscriber, const std::string& filter) {
        const std::string group = scenario_.shared ? "$share/g/" : "";
        const std::string body = u16(1) + text(group + filter) + static_cast<char>(scenario_.qos);
        host_.turn([&] { subscribers_[subscriber]->feed(packet(0x82, body)); });
    }

    [[nodiscard]] std::string group(size_t i) const { return "g" + std::to_string(i % 1000); }
    [[nodiscard]] std::string topic(size_t i) const {
        return "scale/" + group(i) + "/d" + std::to_string(i) + "/temp";
    }

    // Of every 20: 10 exact, 5 with '+' last, 4 with '+' in the middle, 1 with '#'.
    void subscribe(size_t i) {
        const size_t kind = scenario_.topics == 1 ? 0 : i % 20;
        const std::string device = "/d" + std::to_string(i);
        std::string filter = topic(i);
        if (kind >= 10) filter = "scale/" + group(i) + device + "/+";
        if (kind >= 15) filter = "scale/+" + device + "/temp";
        if (kind >= 19) filter = "scale/" + group(i) + device + "/#";
        subscribe_to(i % scenario_.subscribers, filter);
    }

    // All that the publisher and the subscribers will send: packet ids go round every 4 turns, at
    // the subscribers every 65,535 messages.
    void prepare() {
        for (size_t t = 0; t < scenario_.different / kBatch; ++t) {
            std::string all;
            for (size_t i = 0; i < kBatch; ++i) {
                const size_t number = t * kBatch + i;
                all += publish(topic(number * 7919 % scenario_.topics), scenario_.qos, number + 1,
                               scenario_.payload);
            }
            inputs_.push_back(all);
        }
        for (size_t t = 0; t < kWarmUp + scenario_.turns; ++t) answers_.push_back(answers_to(t));
    }

    // What receivers and publisher answer to one turn.
    struct Answers {
        std::string first, release, last;
    };
    Answers answers_to(size_t turn) const {
        if (scenario_.qos == 0) return {};
        const size_t sent = turn * kBatch % 65'535;
        if (scenario_.qos == 1) return {acks(0x40, sent), "", ""};
        return {acks(0x50, sent), acks(0x62, turn % inputs_.size() * kBatch), acks(0x70, sent)};
    }

    static std::string acks(unsigned header, size_t first) {
        std::string all;
        for (size_t i = 0; i < kBatch; ++i) all += packet(header, u16((first + i) % 65'535 + 1));
        return all;
    }

    void turn(size_t number) {
        host_.turn([&] { publisher_->feed(inputs_[number % inputs_.size()]); });
        if (scenario_.qos == 0) return;
        const Answers& answers = answers_[number];
        answer(answers.first);
        if (scenario_.qos == 1) return;
        host_.turn([&] { publisher_->feed(answers.release); });
        answer(answers.last);
    }

    void answer(const std::string& bytes) {
        host_.turn([&] {
            for (auto* subscriber : subscribers_) subscriber->feed(bytes);
        });
    }

    const Scenario& scenario_;
    OneShard host_;
    EndpointContext context_;
    mqtt::Service service_;
    MemoryStream* publisher_ = nullptr;
    std::vector<MemoryStream*> subscribers_;
    std::vector<std::string> inputs_;
    std::vector<Answers> answers_;  // by turn
    size_t done_ = 0;
};

}  // namespace

// By name for callgrind: kept a function of its own.
extern "C" __attribute__((noinline, visibility("default"))) void measured(Run& run, size_t turns) {
    run.turns(turns);
}

}  // namespace trestle::bench

int main(int argc, char** argv) {
    using namespace trestle::bench;
    for (const auto& scenario : kScenarios) {
        if (argc == 1) std::puts(scenario.name);
        if (argc != 2 || std::strcmp(scenario.name, argv[1]) != 0) continue;
        Run& run = *new Run(scenario);  // ends with the program
        run.turns(scenario.topics == 1 ? kWarmUp : scenario.different / kBatch);
        const size_t allocated = allocations();
        const size_t before = run.delivered_bytes();
        measured(run, scenario.turns);
        const bool one_each = scenario.topics != 1 || scenario.shared;
        const size_t copies = one_each ? 1 : scenario.subscribers;
        const size_t messages = scenario.turns * kBatch * copies;
        if (run.delivered_bytes() - before < messages * scenario.payload) return 1;
        std::printf("{\"messages\": %zu, \"allocations\": %zu}\n", messages,
                    allocations() - allocated);
        return 0;
    }
    return argc == 1 ? 0 : 2;
}
