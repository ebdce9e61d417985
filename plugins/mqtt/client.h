// The rules of MQTT for one connected client, 3.1, 3.1.1 and 5.0: packets in, effects out.
//
// Made when CONNECT has been read, on the shard of the client's session; used there only. Held by
// its connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/session_table.h"
#include "mqtt/codec/frame.h"
#include "mqtt/connection.h"
#include "mqtt/topic_aliases.h"

namespace trestle::mqtt {

class Client final : public SessionSink, public SessionHolder {
 public:
    Client(Connection& connection, Version version);
    ~Client() override;

    /// Answers with CONNACK. A fault: refuse the connection; nothing has been changed. `why` is set
    /// when it is for a limit.
    Fault on_connect(const Connect& connect, Refusal& why);
    /// A fault: disconnect with its reason.
    Fault on_packet(const Frame& frame);
    /// The packet was too much work for one turn: it is to be given again in a later one, and no
    /// other before.
    [[nodiscard]] bool is_amid_packet() const { return filter_work_ != nullptr; }
    /// Tells a 5.0 client why it is disconnected; nothing in 3.1.1.
    void disconnect(const Fault& fault);
    /// The connection is over: lets go of the session, and publishes the will when `abnormal`.
    void end(bool abnormal);
    void on_writable();

    [[nodiscard]] const std::string& client_id() const { return publisher_.client_id; }

    // SessionSink
    [[nodiscard]] bool writable() const override;
    bool send(const OutgoingPublish& publish) override;
    void send_pubrel(uint16_t packet_id) override;
    // SessionHolder
    void take_over() override;
    void send_away() override;
    [[nodiscard]] ConnectionReport report() const override;
    // IncomingSink
    void answers_known(Qos qos) override;

 private:
    Fault on_publish(const Frame& frame);
    Fault resolve_topic(Publish& publish);
    Fault on_acknowledged(const Frame& frame);
    Fault on_pubrel(const Ack& ack);
    /// A SUBSCRIBE or UNSUBSCRIBE under way.
    struct FilterWork {
        PacketType answer;
        uint16_t packet_id;
        uint32_t subscription_id;
        size_t left;          // bytes of filters at the end of the packet
        std::string reasons;  // for those before
    };
    Fault on_subscribe(const Frame& frame);
    Fault work_off(const Frame& frame, FilterWork work);
    Reason subscribe_one(const Subscription& wanted, uint32_t subscription_id);
    Reason unsubscribe_one(std::string_view filter);
    [[nodiscard]] Reason check_filter(std::string_view filter) const;
    Fault refuse_id(PacketType type, uint16_t packet_id, size_t filters);
    Fault answer(PacketType type, uint16_t packet_id, std::string_view reasons);
    Fault on_unsubscribe(const Frame& frame);
    Fault on_disconnect(const Frame& frame);

    Fault publish_acknowledged(const Publish& publish, const MessageView& message);
    Fault arrived_again(const Publish& publish, Incoming::Arrival arrival);
    void hold_when_full();
    Fault refuse_publish(const Publish& publish, Reason reason);
    [[nodiscard]] Reason check_publish(const Publish& publish) const;
    Fault acknowledge(Qos qos, const Incoming::Answer& answer);
    [[nodiscard]] Reason reason_of(const Incoming::Answer& answer) const;
    [[nodiscard]] bool may_publish_to(std::string_view topic) const;
    Fault flush_acks(Qos qos);
    [[nodiscard]] bool format_holds(std::string_view properties, std::string_view payload) const;
    /// The shortest form.
    void put_ack(PacketType type, uint16_t packet_id);
    void put_ack(PacketType type, const Ack& ack);
    void acknowledge_now(PacketType type, uint16_t packet_id, Reason reason);

    void leave(const Fault& fault);
    bool take_place(bool clean_start, SessionQuota::Place& place);
    bool open_session(const Connect& connect, SessionQuota::Place place);
    void offer(Properties& p, const Connect& connect, bool assigned) const;
    bool send_connack(const Connect& connect, bool session_present, bool assigned);
    bool keep_will(const Connect& connect);
    [[nodiscard]] uint64_t expiry_of(std::optional<uint32_t> seconds) const;
    [[nodiscard]] bool v5() const { return version_ == Version::v5; }
    [[nodiscard]] ShardIndex cell() const { return connection_.shard().index(); }
    OutBuffer& output() { return connection_.output(); }
    Session& session() { return entry_->session(); }
    size_t encode(const OutgoingPublish& out);
    size_t encode_shared(const OutgoingPublish& out);
    size_t encode_with_alias(Publish& packet);

    Connection& connection_;
    const ClientOptions& options_;
    const EndpointCounters& counters_;
    const PacketCounters& packets_;
    Version version_;
    bool ended_ = false;
    bool problem_information_ = true;
    bool asked_to_last_ = false;  // for a session that outlives the connection
    uint32_t session_expiry_s_ = 0;
    uint32_t maximum_packet_size_ = static_cast<uint32_t>(kLargestPacket);
    SessionTable::Entry* entry_ = nullptr;
    uint16_t keep_alive_s_ = 0;
    uint64_t connected_ms_ = 0;
    Publisher publisher_;
    std::vector<std::string> aliases_;           // the client's
    std::unique_ptr<TopicAliases> our_aliases_;  // when the client allows any
    std::unique_ptr<trestle::Will> will_;
    std::unique_ptr<FilterWork> filter_work_;  // that goes on in a later turn
};

}  // namespace trestle::mqtt
