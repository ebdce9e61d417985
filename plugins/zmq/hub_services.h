// What a router's clients can ask the hub for: the services mqtt.publish, mqtt.request and
// mqtt.retained (plugins/zmq/PROTOCOL.md).
//
// Lives on the endpoint's home shard and is called there only, never under the endpoint's lock, as
// it publishes. Answers leave through a function of the endpoint. What is under way is bounded, of
// each kind of call, and of each client: beyond that the answer is 503. Retained messages are read
// and sent in portions, one in a turn of the shard, of one call after the other.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hub.h"
#include "core/retained.h"
#include "plugin_api/plugin.h"
#include "zmq/client_quota.h"
#include "zmq/meta.h"
#include "zmq/socket.h"
#include "zmq/work/protocol.h"

namespace trestle::zmq {

/// A client's request to one of the services.
struct ServiceCall {
    ClientAddress client;
    uint64_t connection = 0;  ///< 0: it has gone, and hears no answer
    std::vector<std::string> body;
};

class HubServices {
 public:
    using Frames = std::span<const std::string_view>;
    struct Limits {
        size_t max_requests = 0;  ///< publishes, and round trips, and readers of retained messages
        size_t max_requests_per_client = 0;
        uint32_t timeout_ms = 0;      ///< of a device's answer, unless the request says so
        uint32_t max_timeout_ms = 0;  ///< whatever it says
    };
    /// Sends part of an answer, or all of it. What is not sent is the caller's to count.
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
    [[nodiscard]] bool is_busy() const {
        return !publishing_.empty() || !asked_.empty() || !walks_.empty() || !stuck_.empty();
    }

    static bool has(std::string_view service);
    void call(const std::shared_ptr<const ServiceCall>& call);
    /// Nobody hears the answers to what came by it.
    void connection_lost(uint64_t connection);

    /// Publishes what a peer has sent; `done` hears the status, now or later, unless its connection
    /// has gone by then.
    using Done = std::function<void(std::string_view status)>;
    void publish(std::string_view topic, std::string_view meta, std::string_view payload,
                 uint64_t connection, Done done);

 private:
    class Inbox;
    class Settled;
    struct Publishing {
        uint64_t connection;
        Done done;
        ClientQuota::Place place;
    };
    struct Asked {
        uint64_t connection;
        ClientAddress client;
        uint64_t due_ms;
        ClientQuota::Place place;
    };
    /// Through the retained messages, for one call.
    struct Walk {
        std::shared_ptr<const ServiceCall> call;
        RetainedCursor cursor;
        std::vector<MessagePtr> batch;
        size_t next = 0;  // of the batch, in 0.2
        uint64_t due_ms = 0;
        ClientQuota::Place place;
    };
    enum class Step : uint8_t { done, more, stuck };

    void say(const ClientAddress& client, std::string_view status) const;
    void finish(const ClientAddress& client, Frames body) const;
    void count_unheard() const;
    /// What can be published of it; else the status that says why not.
    struct Order;
    std::string_view read_order(std::string_view topic, std::string_view meta,
                                std::string_view payload, Order& order) const;
    PublishResult publish_now(const Order& order, const std::weak_ptr<AckReceiver>* waiter,
                              uint64_t token);
    void ask_device(const std::shared_ptr<const ServiceCall>& call);
    void on_device_answer(std::string_view topic, const MessageView& message);
    void read_retained(const std::shared_ptr<const ServiceCall>& call);
    Step fill_page(Walk& walk);
    void answer_page(const Walk& walk);
    Step send_portion(Walk& walk);
    void walk_soon();
    void walk_on();
    [[nodiscard]] std::string meta_of(const MessageView& message) const;
    void on_timer();
    void arm();
    void need_timer_at(uint64_t due_ms);

    EndpointContext& context_;
    const EndpointCounters counters_;
    const Limits limits_;
    const Answer answer_;
    const std::string inbox_prefix_;
    Publisher publisher_;
    std::unique_ptr<Inbox> inbox_;
    std::shared_ptr<Settled> settled_;
    std::weak_ptr<AckReceiver> waiter_;
    ClientQuota publishes_;
    ClientQuota round_trips_;
    ClientQuota readers_;
    std::unordered_map<uint64_t, Publishing> publishing_;  // that wait for a route
    std::unordered_map<uint64_t, Asked> asked_;            // devices
    std::deque<Walk> walks_;                               // in the order of their turns
    std::vector<Walk> stuck_;                              // whose peers read slowly
    bool is_walk_due_ = false;
    bool is_stopped_ = false;
    uint64_t next_ = 1;
    Timer timer_;
};

}  // namespace trestle::zmq
