// A whole gateway without sockets and threads: real shards that are run by hand, a clock that moves
// when it is told to, two MQTT endpoints, a route whose endpoint decides late or says no, and a
// subscriber that sees what enters the hub. Everything runs on the fuzzer's one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../../unit/core/fakes.h"
#include "input.h"
#include "mqtt/service.h"

namespace trestle::fuzz {

/// One publication, known by the number at the front of its payload.
struct Sent {
    std::string topic, payload;
    bool sure = true;  // false: two of them carry this number, or bytes were changed on the way
};

/// One QoS 2 handshake of a publisher: however often it is sent, it enters the hub once.
struct Handshake {
    int entered = 0;
    int allowed = 1;  // one more each time it was refused: then it may be sent anew
};

/// What all clients together have done.
class Journal {
 public:
    static constexpr size_t kNumberBytes = 4;
    std::string number_of_next();
    /// Nothing when the payload is too short to hold one.
    static uint32_t number_in(std::string_view payload);

    void note_sent(std::string_view topic, std::string_view payload, bool sure);
    void note_handshake(std::string_view payload, std::shared_ptr<Handshake> handshake);
    void on_entered(std::string_view payload);
    void on_refused(uint32_t number);
    void check_delivered(std::string_view topic, std::string_view payload) const;

 private:
    uint32_t last_ = 0;
    std::map<uint32_t, Sent> sent_;
    std::map<uint32_t, std::shared_ptr<Handshake>> handshakes_;
};

class World final : public Host {
 public:
    World(Input& input, size_t shards);
    ~World() override;

    // Host
    size_t shard_count() const override { return shards_.size(); }
    Shard& shard(size_t index) override { return *shards_[index]; }
    Metrics& metrics() override;
    Shard& home_of(std::string_view client_id) override;
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view, EndpointContext&,
                                                      const Settings&) override {
        return nullptr;
    }

    static constexpr size_t kEndpoints = 2;
    mqtt::Service& endpoint(size_t i) { return *endpoints_[i].service; }
    Hub& hub() { return hub_; }
    Journal& journal() { return journal_; }

    /// Runs what has been posted, once around; false when there was nothing.
    bool turn();
    /// Runs until nothing is left to do.
    void settle();
    /// Moves the clock and fires what is due.
    void advance(uint64_t ms);
    /// As ZeroMQ does: published by no client.
    void publish(Input& input, std::string_view topic, uint8_t qos, bool retain);
    void set_route_mode(uint8_t mode) { route_mode_ = mode; }
    void settle_one_ack(Input& input);
    [[nodiscard]] bool acks_pending() const { return !deferred_.empty(); }

    /// Every copy is in one place of its endpoint's books, and no queue is beyond its limit.
    void check_books();
    void stop();

 private:
    class Spy final : public Subscriber {
     public:
        explicit Spy(Journal& journal) : journal_(journal) {}
        void deliver(Delivery& delivery, const SubscriptionMatch&) override {
            journal_.on_entered(delivery.message().payload);
        }

     private:
        Journal& journal_;
    };
    struct One {
        std::unique_ptr<EndpointContext> context;
        std::unique_ptr<mqtt::Service> service;
    };
    struct Deferred {
        Ack ack;
        uint32_t number;
    };
    void on_route(Delivery& delivery);

    Hub hub_;
    Journal journal_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<One> endpoints_;
    test::RouteBooks route_books_;
    test::FakeRouteSink sink_;
    std::vector<Deferred> deferred_;
    uint8_t route_mode_ = 0;
    bool spies_ = false;
    Spy spy_{journal_};
    Publisher outside_;
};

}  // namespace trestle::fuzz
