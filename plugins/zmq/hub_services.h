// What a router's clients can ask the hub for: the services mqtt.publish, mqtt.request and
// mqtt.retained (plugins/zmq/PROTOCOL.md).
//
// Lives on the endpoint's home shard and is called there only, never under the endpoint's lock, as
// it publishes. Answers leave through a function of the endpoint. What waits is bounded: beyond
// `max_requests` the answer is 503.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hub.h"
#include "core/retained.h"
#include "plugin_api/plugin.h"
#include "zmq/meta.h"
#include "zmq/socket.h"
#include "zmq/work/protocol.h"

namespace trestle::zmq {

/// A client's request to one of the services.
struct ServiceCall {
    ClientAddress client;
    std::vector<std::string> body;
};

class HubServices {
 public:
    using Frames = std::span<const std::string_view>;
    struct Limits {
        size_t max_requests = 0;
        uint32_t timeout_ms = 0;  ///< of a device's answer, unless the request says so
    };
    /// Sends part of an answer, or all of it.
    using Answer = std::function<Socket::Sent(const ClientAddress&, bool is_final, Frames body)>;

    HubServices(EndpointContext& context, const EndpointCounters& counters, const Limits& limits,
                Answer answer);
    ~HubServices();
    HubServices(const HubServices&) = delete;
    HubServices& operator=(const HubServices&) = delete;

    /// Begins to listen for devices' answers.
    void start();
    /// No device answers any more: whoever waits for one, or asks from now on, is told 503.
    void forsake_devices();
    /// Whoever waits, or asks from now on, is told 503.
    void stop();
    /// Somebody waits for an answer.
    [[nodiscard]] bool is_busy() const { return open() != 0; }

    static bool has(std::string_view service);
    void call(const std::shared_ptr<const ServiceCall>& call);

    /// Publishes what a peer has sent; `done` hears the status, now or later.
    using Done = std::function<void(std::string_view status)>;
    void publish(std::string_view topic, std::string_view meta, std::string_view payload,
                 Done done);

 private:
    class Inbox;
    class Settled;
    struct Asked {
        ClientAddress client;
        uint64_t due_ms;
    };
    struct Snapshot {
        std::shared_ptr<const ServiceCall> call;
        RetainedCursor cursor;
        std::vector<MessagePtr> batch;
        size_t next = 0;
        uint64_t due_ms = 0;
    };

    void say(const ClientAddress& client, std::string_view status) const;
    /// What can be published of it; else the status that says why not.
    struct Order;
    std::string_view read_order(std::string_view topic, std::string_view meta,
                                std::string_view payload, Order& order) const;
    PublishResult publish_now(const Order& order, const std::weak_ptr<AckReceiver>* waiter,
                              uint64_t token);
    void ask_device(const std::shared_ptr<const ServiceCall>& call);
    void on_device_answer(std::string_view topic, const MessageView& message);
    void read_retained(const std::shared_ptr<const ServiceCall>& call);
    void answer_page(const ServiceCall& call, RetainedCursor& cursor);
    bool send_portion(Snapshot& snapshot);
    void go_on_with_snapshots();
    [[nodiscard]] std::string meta_of(const MessageView& message) const;
    void on_timer();
    void arm();
    [[nodiscard]] size_t open() const {
        return publishing_.size() + asked_.size() + snapshots_.size();
    }

    EndpointContext& context_;
    const EndpointCounters counters_;
    const Limits limits_;
    const Answer answer_;
    const std::string inbox_prefix_;
    Publisher publisher_;
    std::unique_ptr<Inbox> inbox_;
    std::shared_ptr<Settled> settled_;
    std::weak_ptr<AckReceiver> waiter_;
    std::unordered_map<uint64_t, Done> publishing_;  // that wait for a route
    std::unordered_map<uint64_t, Asked> asked_;      // devices
    std::vector<Snapshot> snapshots_;                // under way to peers that read slowly
    bool is_stopped_ = false;
    uint64_t next_ = 1;
    Timer timer_;
};

}  // namespace trestle::zmq
