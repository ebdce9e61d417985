// What the client has received, and what it would still have to.
#include <algorithm>

#include "core/session_table.h"
#include "core/topic.h"
#include "must.h"
#include "peer.h"

namespace trestle::fuzz {

using namespace mqtt;

void Peer::received(std::string_view bytes) {
    trace("receives", bytes);
    in_ += bytes;
    std::string_view rest = in_;
    for (;;) {
        Frame frame;
        Fault fault;
        const auto status = read_frame(rest, kLargestPacket, version_, frame, fault);
        must(status != FrameStatus::fault, "the server's packets are well-formed");
        if (status == FrameStatus::need_more) break;
        received_packet(frame);
        rest.remove_prefix(frame.size);
    }
    in_.erase(0, in_.size() - rest.size());
}

void Peer::received_packet(const Frame& frame) {
    must(!ended_, "nothing follows a refusal or a DISCONNECT");
    must(accepted_ || frame.type() == PacketType::connack, "nothing comes before CONNACK");
    must(frame.size <= maximum_packet_size_, "no packet is larger than the client takes");
    switch (frame.type()) {
        case PacketType::connack:
            return received_connack(frame);
        case PacketType::publish:
            return received_publish(frame);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return received_answer(frame);
        case PacketType::suback:
        case PacketType::unsuback:
            return received_subscription_ack(frame);
        case PacketType::pingresp:
            must(!decode_ping(frame), "PINGRESP decodes");
            must(pings_due_-- > 0, "PINGRESP answers PINGREQ");
            return;
        case PacketType::disconnect: {
            Disconnect packet;
            must(!decode_disconnect(version_, frame, packet, Sender::server), "DISCONNECT decodes");
            must(version_ == Version::v5, "only 5.0 has a DISCONNECT from the server");
            ended_ = true;
            return;
        }
        default:
            must(false, "a server sends no such packet");
    }
}

void Peer::received_connack(const Frame& frame) {
    Connack packet;
    must(!decode_connack(version_, frame, packet), "CONNACK decodes");
    must(!accepted_, "one CONNACK");
    auto& unanswered = session().unanswered;
    unanswered.erase(this);
    if (is_error(packet.reason)) {
        must(!packet.session_present, "no session present when refused [MQTT-3.2.2-6]");
        ended_ = true;
        return;
    }
    must(connect_sent_, "who is accepted has sent a valid CONNECT");
    must(!(clean_ && packet.session_present), "a clean start finds no session [MQTT-3.2.2-2]");
    accepted_ = true;
    resumed_ = packet.session_present;
    // 3.1 does not tell whether there was a session; and it may be one that another connection has
    // begun anew, whose CONNACK nobody saw.
    if (version_ == Version::v31 && !clean_) resumed_ = true;
    if (version_ == Version::v31 || session().taken_unseen || !unanswered.empty()) {
        session().open.clear();
        session().unacknowledged.clear();
    }
    session().taken_unseen = false;
    if (!resumed_) {
        SessionView begun;
        begun.unanswered.swap(unanswered);
        session() = std::move(begun);
    }
    session().filters.merge(early_filters_);
    session().owner = this;
}

void Peer::received_publish(const Frame& frame) {
    Publish publish;
    std::string scratch;
    std::vector<uint32_t> ids;
    must(!decode_publish(version_, frame, publish, scratch, &ids), "PUBLISH decodes");
    must(publish.topic_alias <= alias_maximum_, "the client's Topic Alias Maximum holds");
    if (publish.topic_alias != 0) {
        auto& known = its_aliases_[publish.topic_alias];
        if (!publish.topic.empty()) known = publish.topic;
        publish.topic = known;
    }
    must(!publish.topic.empty(), "an alias stands for something");
    world_.journal().check_delivered(publish.topic, publish.payload);
    if (owns_session()) {
        const auto wants = [&](const std::string& filter) {
            return is_valid_topic_filter(filter) && filter_matches(filter, publish.topic);
        };
        must(std::ranges::any_of(session().filters, wants), "the client has subscribed to it");
    }
    if (publish.qos != 0) received_acknowledged(publish);
}

void Peer::received_acknowledged(const Publish& publish) {
    const uint16_t id = publish.packet_id;
    must(!in_flight_.contains(id), "a packet id is in use once");
    must(in_flight_.size() < receive_maximum_, "never more than Receive Maximum [MQTT-3.3.4-9]");
    must(!publish.dup || resumed_, "DUP only when a session is resumed");
    if (owns_session() && !session().doubtful.contains(id)) {
        auto& former = session().unacknowledged;
        const auto known = former.find(id);
        if (known != former.end()) {
            must(publish.dup, "sent again with DUP [MQTT-3.3.1-1]");
            must(known->second != Stage::released, "not after PUBREC [MQTT-4.3.3-4]");
        }
    }
    const Stage stage = publish.qos == 1 ? Stage::at_least_once : Stage::exactly_once;
    in_flight_[id] = stage;
    if (owns_session()) session().unacknowledged[id] = stage;
    answers_due_.push_back({publish.qos == 1 ? PacketType::puback : PacketType::pubrec, id});
}

void Peer::received_answer(const Frame& frame) {
    mqtt::Ack ack;
    must(!decode_ack(version_, frame, ack), "an acknowledgement decodes");
    if (frame.type() == PacketType::pubrel) {
        answers_due_.push_back({PacketType::pubcomp, ack.packet_id});
    } else if (frame.type() == PacketType::puback) {
        take_in_order(pubacks_due_, ack.packet_id);
    } else if (frame.type() == PacketType::pubrec) {
        take_in_order(pubrecs_due_, ack.packet_id);
        if (is_error(ack.reason)) session().open.erase(ack.packet_id);
    } else {
        const auto due = pubcomps_due_.find(ack.packet_id);
        must(due != pubcomps_due_.end(), "PUBCOMP answers PUBREL");
        pubcomps_due_.erase(due);
    }
}

void Peer::take_in_order(AllDue& all, uint16_t packet_id) {
    const auto due = std::ranges::find(all, packet_id, &Due::packet_id);
    must(due != all.end(), "PUBACK and PUBREC answer PUBLISH");
    must(due->repeated || !any_fresh({all.begin(), due}),
         "they come in order [MQTT-4.6.0-2], [MQTT-4.6.0-3]");
    all.erase(due);
}

bool Peer::any_fresh(const AllDue& due) { return !std::ranges::all_of(due, &Due::repeated); }

void Peer::received_subscription_ack(const Frame& frame) {
    SubscriptionAck ack;
    must(!decode_subscription_ack(version_, frame, ack), "SUBACK and UNSUBACK decode");
    const bool sub = frame.type() == PacketType::suback;
    auto& due = sub ? subacks_due_ : unsubacks_due_;
    must(!due.empty(), "it answers something");
    must(due.front().first == ack.packet_id, "in order");
    if (sub || version_ == Version::v5) {
        must(due.front().second == ack.reasons.size(), "with a reason for each filter");
    }
    due.pop_front();
}

void Peer::check_at_rest(bool alive) {
    // A 3.1.1 client is not read while it has a pause or too much unacknowledged.
    const bool unread = version_ != Version::v5 && (!accepted_ || world_.acks_pending());
    if (!alive || unread) return;
    must(!broken_, "who breaks the protocol, or says goodbye, is disconnected");
    must(!ended_, "and a connection that was refused or ended is closed");
    if (!accepted_) return;
    constexpr uint32_t kTakesAnyAnswer = 100;
    if (maximum_packet_size_ >= kTakesAnyAnswer && !world_.acks_pending()) {
        must(!any_fresh(pubacks_due_), "every QoS 1 message is acknowledged");
        must(!any_fresh(pubrecs_due_), "every QoS 2 message is acknowledged");
        must(pubcomps_due_.empty(), "every PUBREL is answered");
        must(subacks_due_.empty() && unsubacks_due_.empty(), "every subscription is answered");
        must(pings_due_ == 0, "every PINGREQ is answered");
    }
    if (!world_.acks_pending() && owns_session()) session().doubtful.clear();
    check_stalled();
}

// What waits for a client waits for a reason.
void Peer::check_stalled() {
    if (client_id_.empty() || !owns_session()) return;
    auto* entry = world_.home_of(client_id_).hub().sessions().find(client_id_);
    must(entry != nullptr && entry->holder != nullptr, "a connected client has a session");
    const Session& theirs = entry->session();
    must(theirs.queued() == 0 || theirs.in_flight() != 0, "a queue does not stand still");
    must(theirs.queued_bytes() == 0 || theirs.queued() != 0, "an empty queue has no bytes");
}

}  // namespace trestle::fuzz
