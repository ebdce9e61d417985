// One client's durable side: its bounded queue and in-flight window. No I/O, no codec.
//
// A session outlives connections. While one is attached, messages go straight to its `SessionSink`;
// what the connection cannot take now, or what exceeds the client's Receive Maximum, waits in the
// queue. Lives on the shard given by its client id's hash and is used there only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/hub.h"
#include "core/incoming.h"
#include "core/ledger.h"
#include "core/packet_id_map.h"
#include "core/retained_reader.h"
#include "core/ring.h"
#include "core/subscriber.h"
#include "core/subscription_quota.h"

namespace trestle {

/// One message as a connection must encode it.
struct OutgoingPublish {
    const MessageView& message;
    Qos qos;
    bool retain;
    bool dup;
    uint16_t packet_id;  ///< 0 at QoS 0
    std::span<const uint32_t> subscription_ids;
    EncodedForms* forms = nullptr;  ///< null: nobody else is sent this now
};

/// The connection that a session writes to.
class SessionSink : public IncomingSink {
 public:
    void answers_known(Qos) override {}  // for those that publish nothing
    /// False: the connection has enough to write for now; `Session::pump` is called when it has
    /// not.
    [[nodiscard]] virtual bool writable() const = 0;
    /// False: larger than this client accepts [MQTT-3.1.2-24]; nothing was written.
    virtual bool send(const OutgoingPublish& publish) = 0;
    virtual void send_pubrel(uint16_t packet_id) = 0;
    /// The queue is full and a message is being dropped: whoever wants to end the session for that
    /// does it later, not on this stack.
    virtual void on_queue_full() {}
};

struct SessionLimits {
    size_t max_queued_messages = 100'000;
    size_t max_queued_bytes = 64u << 20;  ///< of the queue, and again of the in-flight window
    uint16_t max_inflight = 65'535;       ///< beside the client's own Receive Maximum
    uint16_t incoming_window = 65'535;    ///< of the client's own messages, see `Incoming`
    bool drop_oldest = true;              ///< when the queue is full; else the newest
    bool queue_qos0_offline = false;
    SubscriptionLimits subscriptions;
};

class Session final : public Subscriber {
 public:
    Session(HubShard& hub, std::string client_id, const SessionLimits& limits,
            const SessionLedger& ledger);
    /// Leaves the hub; what is queued or in flight is dropped{session_ended}.
    ~Session() override;

    void deliver(Delivery& delivery, const SubscriptionMatch& match) override;

    /// The retained messages that the subscription selects follow from the next `pump` on, with the
    /// retain flag set [MQTT-3.3.1-8]; as many at once as the client takes.
    void want_retained(const std::string& filter, const SubscribeOptions& options);
    void send_retained(const std::string& filter, const SubscribeOptions& options);
    void deliver_retained(MessagePtr message, const SubscriptionMatch& match);
    /// Nothing waits, and the connection can write.
    [[nodiscard]] bool takes_more() const {
        return sink_ != nullptr && queue_.empty() && sink_->writable();
    }

    /// A connection takes over. In-flight messages are sent again with DUP [MQTT-4.4.0-1], as fast
    /// as the connection and `receive_maximum`, the client's, let [MQTT-3.3.4-9]; then the queue.
    void attach(SessionSink& sink, uint16_t receive_maximum);
    void detach();
    [[nodiscard]] bool attached() const { return sink_ != nullptr; }
    /// The connection can take more.
    void pump();

    // From the client. False: no such packet id is in flight in that state.
    /// `failed`: reason 0x80 or more; the message is discarded [MQTT-4.8.2-6].
    bool on_puback(uint16_t packet_id, bool failed = false);
    /// `failed`: reason 0x80 or more; the message is finished (section 4.3.3).
    bool on_pubrec(uint16_t packet_id, bool failed);
    bool on_pubcomp(uint16_t packet_id);

    /// What the client has published and is not finished with.
    Incoming& incoming() {
        if (!incoming_) [[unlikely]]
            make_incoming();
        return *incoming_;
    }
    bool release_incoming(uint16_t packet_id) { return incoming_ && incoming_->release(packet_id); }
    [[nodiscard]] bool incoming_in_use(uint16_t packet_id) const {
        return incoming_ && incoming_->in_use(packet_id);
    }

    // Subscriptions. `filter` may start with `$share/`; it is valid. Returns true when it was
    // there.
    bool subscribe(const std::string& filter, const SubscribeOptions& options);
    /// The limit that it would exceed; one that is there already exceeds none.
    [[nodiscard]] std::optional<SubscriptionRefusal> refuses(std::string_view filter) const {
        const auto refusal = subscription_quota_.refuses(filter, limits_.subscriptions);
        return refusal && subscriptions_.contains(filter) ? std::nullopt : refusal;
    }
    bool unsubscribe(const std::string& filter);
    void unsubscribe_all();
    using Subscriptions = std::map<std::string, SubscribeOptions, std::less<>>;  // by filter
    [[nodiscard]] const Subscriptions& subscriptions() const { return subscriptions_; }

    [[nodiscard]] const std::string& client_id() const { return client_id_; }
    [[nodiscard]] size_t queued() const { return queue_.size(); }
    [[nodiscard]] size_t queued_bytes() const { return queued_bytes_; }
    [[nodiscard]] size_t in_flight() const { return in_flight_count_; }

    /// Drops everything that waits, with this reason; used at shutdown and when the session ends.
    void drop_all(DropReason reason);

 private:
    enum class State : uint8_t { free, awaiting_puback, awaiting_pubrec, awaiting_pubcomp };
    struct Queued {
        MessagePtr message;
        std::vector<uint32_t> subscription_ids;
        uint32_t shared_group = 0;
        Qos qos = Qos::at_most_once;
        bool retain = false;

        [[nodiscard]] size_t bytes() const {
            return message->view().size() + bytes_of(subscription_ids);
        }
    };
    static size_t bytes_of(const std::vector<uint32_t>& ids) { return ids.size() * sizeof ids[0]; }
    /// What a message takes beside its bytes, in the account of all sessions.
    static constexpr size_t kBeside = sizeof(Message) + sizeof(Queued);
    struct InFlight {
        Queued publish;
        uint16_t packet_id = 0;
        State state = State::free;
        bool sent = false;  // on this connection
    };

    void make_incoming();
    void take(Delivery& delivery, bool retain, const SubscriptionMatch& match);
    /// There is room for one more, and nothing is left to be sent again before it.
    [[nodiscard]] bool window_open() const {
        return in_flight_count_ < window_ && in_flight_bytes_ < limits_.max_queued_bytes &&
               resend_at_ == in_flight_.size();
    }
    /// In the account of all sessions the window of a connected client counts in whole steps of
    /// bytes, so that a message to one who reads mostly costs a comparison; exactly when it leaves.
    static constexpr size_t kStep = 4096;
    [[nodiscard]] bool off_by_a_step(size_t bytes) const {
        return bytes - in_flight_step_ >= kStep;  // also when it is less
    }
    [[nodiscard]] bool room_in_flight(size_t bytes) const {
        const size_t then = in_flight_bytes_ + bytes;
        return !off_by_a_step(then) || hub_.session_bytes().has_room(then - in_flight_step_);
    }
    void note_in_flight() {
        if (off_by_a_step(in_flight_bytes_)) [[unlikely]]
            count_in_flight();
    }
    void count_in_flight();
    void put_in_flight(Queued&& publish, size_t bytes, uint16_t packet_id);
    void put_in_queue(Queued&& item, size_t bytes);
    void enqueue(Delivery& delivery, Qos qos, bool retain, const SubscriptionMatch& match);
    void send_queued(Queued&& item);
    bool make_room(size_t bytes);
    Queued take_front();
    void compact();
    InFlight* find(uint16_t packet_id);
    InFlight* search(uint16_t packet_id);
    [[nodiscard]] uint32_t from_first(uint16_t packet_id) const;
    void note_places();
    void finish(InFlight& slot);
    void refuse(InFlight& slot);
    void release(InFlight& slot);
    void pass_on_shared();
    /// False: it has expired, and is counted as that.
    bool pass_on(const Queued& item);
    void tell_readiness() {
        if (member_) [[unlikely]]
            set_readiness();
    }
    void set_readiness();
    void let_go_of_message(InFlight& slot);
    void resend();
    bool send_again(InFlight& slot);
    uint16_t next_packet_id();
    [[nodiscard]] bool expired(const MessageView& message) const {
        return message.expires_at_ms <= hub_.now_ms();
    }
    void drop(DropReason reason, size_t n = 1) { ledger_.drop(hub_.index(), reason, n); }

    HubShard& hub_;
    std::string client_id_;
    const SessionLimits& limits_;
    const SessionLedger& ledger_;
    SessionSink* sink_ = nullptr;
    uint16_t window_ = 0;
    uint16_t last_packet_id_ = 0;
    uint32_t in_flight_count_ = 0;
    uint32_t outstanding_ = 0;  // of these, sent on this connection
    uint32_t left_slots_ = 0;   // how many have gone from the front, so far
    size_t in_flight_bytes_ = 0;
    size_t in_flight_step_ = 0;     // of these, what the account has been told
    size_t in_flight_counted_ = 0;  // and what it was told with what messages take beside
    size_t resend_at_ = 0;          // slots from here on belong to a former connection
    size_t queued_bytes_ = 0;
    Ring<Queued> queue_;
    Ring<InFlight> in_flight_;  // in the order sent; finished ones leave from the front
    // When the ids have come round to a message that is still in flight: where each one is, counted
    // from the first slot that ever was.
    std::unique_ptr<PacketIdMap<uint32_t>> places_;
    std::shared_ptr<Incoming> incoming_;  // once it has published at QoS 1 or 2
    Subscriptions subscriptions_;
    SubscriptionQuota subscription_quota_;
    std::shared_ptr<MemberState> member_;       // once it has shared a subscription
    std::shared_ptr<RetainedReader> retained_;  // while there is something to hand over
};

}  // namespace trestle
