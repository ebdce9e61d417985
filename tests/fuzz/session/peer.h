// What an attentive client knows: it reads the bytes of one connection both ways, and whatever the
// server may not do is a crash. It takes part in nothing; it may know too little (a packet may have
// been lost with the connection), never too much.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/codec/decode.h"
#include "mqtt/options.h"
#include "world.h"

namespace trestle::fuzz {

/// What a client keeps from one connection to the next.
struct SessionView {
    enum class Stage : uint8_t { at_least_once, exactly_once, released };
    std::map<uint16_t, std::shared_ptr<Handshake>> open;  // its own, from PUBLISH to PUBREL
    std::map<uint16_t, Stage> unacknowledged;             // the server's
    std::set<uint16_t> doubtful;  // answered, but who knows whether the server has read it
    std::set<std::string> filters;
    const void* owner = nullptr;       // the last connection that had a CONNACK
    std::set<const void*> unanswered;  // connections that have sent CONNECT and had none so far
    bool taken_unseen = false;         // perhaps by one that ended without any
};
using SessionViews = std::map<std::string, SessionView>;

class Peer {
 public:
    using Version = mqtt::Version;
    struct Answer {
        mqtt::PacketType type;
        uint16_t packet_id;
    };

    Peer(World& world, SessionViews& sessions, const mqtt::ClientOptions& server)
        : world_(world), sessions_(sessions), server_(server) {}
    ~Peer() {
        if (session_ != nullptr && session_->unanswered.erase(this) != 0) {
            session_->taken_unseen = true;
        }
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    /// The client has sent it. `changed`: not as a client would.
    void sent(std::string_view bytes, bool changed);
    void received(std::string_view bytes);
    /// Nothing is left to do, and all that the server wrote has been received: what it owed it has
    /// sent. `alive`: the connection is still open.
    void check_at_rest(bool alive);

    [[nodiscard]] Version version() const { return version_; }
    [[nodiscard]] bool connected() const { return accepted_; }
    [[nodiscard]] std::vector<Answer>& answers_due() { return answers_due_; }
    [[nodiscard]] std::vector<uint16_t> open_handshakes() const;

 private:
    using Stage = SessionView::Stage;
    /// An answer to a PUBLISH.
    struct Due {
        uint16_t packet_id;
        bool repeated;  // a former one had the id: whether and where it is answered is open
    };
    using AllDue = std::vector<Due>;
    static void take_in_order(AllDue& due, uint16_t packet_id);
    static bool any_fresh(const AllDue& due);
    [[nodiscard]] SessionView& session() { return session_ ? *session_ : own_; }
    [[nodiscard]] bool owns_session() { return session().owner == this; }

    /// With TRESTLE_FUZZ_TRACE in the environment: prints what goes back and forth.
    void trace(const char* way, std::string_view bytes) const;
    void sent_packet(const mqtt::Frame& frame);
    void sent_connect(const mqtt::Frame& frame);
    void sent_publish(const mqtt::Frame& frame);
    void sent_exactly_once(const mqtt::Publish& publish);
    void sent_answer(const mqtt::Frame& frame);
    void sent_filters(const mqtt::Frame& frame);

    void received_packet(const mqtt::Frame& frame);
    void received_connack(const mqtt::Frame& frame);
    void received_publish(const mqtt::Frame& frame);
    void received_acknowledged(const mqtt::Publish& publish);
    void received_answer(const mqtt::Frame& frame);
    void received_subscription_ack(const mqtt::Frame& frame);
    void check_stalled();

    World& world_;
    SessionViews& sessions_;
    const mqtt::ClientOptions& server_;
    SessionView own_;                      // when the server chooses the client id
    SessionView* session_ = nullptr;       // when the client does
    std::set<std::string> early_filters_;  // sent before CONNACK told of the session

    std::string out_, in_;  // incomplete packets, by direction
    std::string client_id_;
    Version version_ = Version::v5;
    bool changed_ = false;
    bool connect_sent_ = false;
    bool clean_ = false;
    bool broken_ = false;  // the server must end the connection
    bool accepted_ = false;
    bool ended_ = false;  // a refusal or a DISCONNECT has come: nothing may follow
    bool resumed_ = false;
    uint32_t maximum_packet_size_ = static_cast<uint32_t>(mqtt::kLargestPacket);
    uint16_t receive_maximum_ = 65'535;
    uint16_t alias_maximum_ = 0;
    std::map<uint16_t, std::string> my_aliases_, its_aliases_;

    AllDue pubacks_due_, pubrecs_due_;
    std::multiset<uint16_t> pubcomps_due_;
    std::deque<std::pair<uint16_t, size_t>> subacks_due_, unsubacks_due_;  // id, filters
    size_t pings_due_ = 0;

    std::map<uint16_t, Stage> in_flight_;  // from the server, on this connection
    std::vector<Answer> answers_due_;
};

}  // namespace trestle::fuzz
