// An endpoint that messages come from (pull, sub): its home shard alone uses the socket.
//
// Reads in batches, finds the topic for each key, and publishes with the route's QoS and retain
// flag. While publishes wait for a full route, it stops reading once so many are open: then
// libzmq's queue fills, and the senders of a pull socket wait in turn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/hub.h"
#include "zmq/endpoint.h"
#include "zmq/key_table.h"
#include "zmq/message_reader.h"
#include "zmq/meta.h"

namespace trestle::zmq {

class ReceivingEndpoint final : public ZmqEndpoint {
 public:
    ReceivingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~ReceivingEndpoint() override;

    void start() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) override;

 private:
    class Settled;

    void on_ready() override;
    void take_message();
    /// True when the message can be published as it is; else it has been counted.
    bool read_frames(IncomingFrames& in, IncomingMeta& meta);
    KeyTable::Found topic_of(const IncomingFrames& in);
    void publish(const KeyTable::Found& found, const IncomingFrames& in, const IncomingMeta& meta);
    void drop(DropReason reason);
    void read_on_later();
    void on_settled();
    void subscribe();
    [[nodiscard]] bool is_asked_for(std::string_view key) const;

    KeyTable keys_;
    MessageReader reader_{kMostFrames};
    Publisher publisher_;
    std::weak_ptr<AckReceiver> waiter_;
    std::shared_ptr<Settled> settled_;
    std::vector<std::string> subscribed_;  // sorted
    bool has_shortened_ = false;           // a prefix that libzmq could not be told in full
    size_t open_publishes_ = 0;
    bool is_paused_ = false;
    bool is_posted_ = false;
    bool is_stopped_ = false;
};

}  // namespace trestle::zmq
