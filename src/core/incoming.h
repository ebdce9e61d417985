// What one client has published at QoS 1 and 2 and is not finished with: the answers that are due,
// in the order of arrival, and the packet ids in use.
//
// Belongs to the client's session and outlives its connections, so that a message whose outcome is
// still to come finds its publisher when that comes back and sends it again (DUP): no second
// message, the same outcome. Made when the client first publishes at QoS 1 or 2. Used on the
// session's shard only; the hub's pending acks know it weakly.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "core/ack.h"
#include "core/message.h"
#include "core/packet_id_map.h"
#include "core/ring.h"

namespace trestle {

/// The connection that answers.
class IncomingSink {
 public:
    virtual ~IncomingSink() = default;
    /// The next answer of this QoS has become known: to be taken with `next`.
    virtual void answers_known(Qos qos) = 0;
};

class Incoming final : public AckReceiver {
 public:
    /// `window`: how many a client may have open; of more than that of former connections those
    /// whose outcome is known are forgotten.
    static std::shared_ptr<Incoming> make(size_t window);

    /// What a PUBLISH that has arrived is.
    enum class Arrival : uint8_t {
        fresh,     ///< to be published
        joined,    ///< on its way already: its answer is due in its place
        finished,  ///< QoS 2, published and answered already: PUBREC again [MQTT-4.3.3-10]
        in_use,    ///< another message has this packet id
    };
    Arrival arrive(Qos qos, uint16_t packet_id, bool dup) {
        if (!exchanges_.empty()) return look_up(qos, packet_id, dup);
        ++last_;
        return Arrival::fresh;
    }

    /// One answer, to be given now. `refusal`: the protocol's own reason for an error that was
    /// found before publishing; 0: none.
    struct Answer {
        uint16_t packet_id = 0;
        Outcome outcome = Outcome::accepted;
        uint8_t refusal = 0;
    };

    // After `fresh`: publish with `token`, then one of these.
    [[nodiscard]] uint64_t token(uint16_t packet_id) const { return last_ << 16 | packet_id; }
    [[nodiscard]] const std::weak_ptr<AckReceiver>& waiter() const { return self_; }
    /// The outcome is known. False: nothing is due before it, answer it now.
    bool settled(Qos qos, uint16_t packet_id, Outcome outcome) {
        if (qos == Qos::at_least_once && due_[0].empty()) return false;
        return enter(qos, packet_id, outcome);
    }
    void pending(Qos qos, uint16_t packet_id);
    /// It is refused and was not published. False: answer it now.
    bool refused(Qos qos, uint16_t packet_id, uint8_t refusal);

    /// Takes the next answer of this QoS if its outcome is known. A QoS 2 id then is in use until
    /// `release`: at PUBREL, or when it was answered with an error.
    bool next(Qos qos, Answer& answer);
    /// PUBREL. False: no such id.
    bool release(uint16_t packet_id);
    /// Whether a message of this connection has the id.
    [[nodiscard]] bool in_use(uint16_t packet_id);

    /// Answers that wait.
    [[nodiscard]] size_t due() const { return due_[0].size() + due_[1].size(); }
    /// Of this connection and not finished: what counts against Receive Maximum.
    [[nodiscard]] size_t open() const { return open_here_ + due_refusals_; }

    void attach(IncomingSink& sink) { sink_ = &sink; }
    /// What is open now is open for the next connection to be asked about.
    void detach();

    void on_settled(uint64_t token, Outcome outcome) override;

 private:
    enum class State : uint8_t { pending, known, answered };
    struct Exchange {
        uint64_t token = 0;  // of the ack that is pending
        Qos qos = Qos::at_least_once;
        State state = State::pending;
        Outcome outcome = Outcome::accepted;
        bool here = false;  // has come over this connection
    };
    struct Due {
        uint16_t packet_id = 0;
        uint8_t refusal = 0;
    };
    explicit Incoming(size_t window) : window_(window) {}
    Arrival look_up(Qos qos, uint16_t packet_id, bool dup);
    bool enter(Qos qos, uint16_t packet_id, Outcome outcome);
    static size_t place(Qos qos) { return qos == Qos::exactly_once ? 1 : 0; }
    void begin(Qos qos, uint16_t packet_id, State state, Outcome outcome);
    void end(uint16_t packet_id);

    std::weak_ptr<AckReceiver> self_;
    IncomingSink* sink_ = nullptr;
    size_t window_;
    uint64_t last_ = 0;  // number of the last message
    size_t open_here_ = 0;
    size_t due_refusals_ = 0;
    PacketIdMap<Exchange> exchanges_;
    std::array<Ring<Due>, 2> due_;  // for QoS 1 and 2, of this connection
};

}  // namespace trestle
