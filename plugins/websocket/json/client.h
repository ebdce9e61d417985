// One JSON client: its operations, and what it is sent. A client of the hub as an MQTT client is,
// with a session that lives as long as its connection.
//
// Lives on the shard that its connection was accepted on, and its client id is chosen so that its
// session lives there too. Held by the service; the hub's pending acks know it weakly.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/session_table.h"
#include "websocket/json/frames_out.h"
#include "websocket/json/requests.h"
#include "websocket/json/service.h"

namespace trestle::websocket::json {

class Client final : public SessionSink,
                     public SessionHolder,
                     public AckReceiver,
                     public ConnectionUser,
                     public RequestOwner,
                     public std::enable_shared_from_this<Client> {
 public:
    Client(Service& service, std::unique_ptr<Connection> connection);
    ~Client() override;

    void start();
    /// The server stops.
    void shut_down();
    void cut(std::string_view why);
    [[nodiscard]] Shard& shard() const { return shard_; }

    // SessionSink
    [[nodiscard]] bool writable() const override;
    bool send(const OutgoingPublish& publish) override;
    void send_pubrel(uint16_t) override {}  // nothing is sent at QoS 2
    void on_queue_full() override;
    // SessionHolder
    void take_over() override;
    void send_away() override;
    [[nodiscard]] ConnectionReport report() const override;
    // AckReceiver
    void on_settled(uint64_t token, Outcome outcome) override;
    // ConnectionUser
    void on_message(std::string_view message, bool is_text) override;
    void on_ending() override { end(); }
    void on_drained() override;
    void on_closed(std::string_view why) override;
    // RequestOwner
    bool answer_request(std::string_view id, const MessageView& response) override;
    void refuse_request(std::string_view id, const Fault& fault) override;

 private:
    Fault perform(Operation& op);
    Fault subscribe(const Operation& op);
    Fault unsubscribe(const Operation& op);
    Fault publish(const Operation& op);
    Fault request(const Operation& op);
    Fault acknowledge(const Operation& op);
    [[nodiscard]] Fault check_filter(std::string_view filter) const;
    Fault check_publish(const Operation& op);
    PublishResult hand_over(const Operation& op, std::string_view properties,
                            uint64_t expires_at_ms, Qos qos, uint64_t token);

    void say(std::string_view text);
    void say_ok(std::string_view id);
    void refuse(std::string_view id, const Fault& fault);
    void count_breach();
    /// Stops reading while answers are owed or not taken, goes on when they are.
    void adjust_reading();
    void close(CloseCode code, std::string_view reason);
    /// Lets go of the session; the connection may still be closing.
    void end();
    [[nodiscard]] ShardIndex cell() const { return shard_.index(); }
    Session& session() { return entry_->session(); }

    Service& service_;
    const ClientOptions& options_;
    const EndpointCounters& counters_;
    std::unique_ptr<Connection> connection_;
    Shard& shard_;
    SessionTable::Entry* entry_ = nullptr;
    Publisher publisher_;
    std::weak_ptr<AckReceiver> self_;
    std::unordered_map<uint64_t, std::string> publishes_;  // that wait: the ids to answer
    std::unique_ptr<Requests> requests_;                   // once there was one
    uint64_t last_publish_ = 0;
    uint64_t connected_ms_ = 0;
    uint32_t errors_ = 0;
    bool slow_ = false;
};

/// What a publisher is told of an outcome; no fault when its message was accepted.
Fault fault_of(Outcome outcome);

}  // namespace trestle::websocket::json
