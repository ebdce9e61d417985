// What a client publishes, and the acknowledgements both ways.
#include "core/properties.h"
#include "core/topic.h"
#include "core/utf8.h"
#include "mqtt/client.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"

namespace trestle::mqtt {

namespace {

Reason reason_for(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
            return Reason::success;
        case Outcome::no_subscriber:
            return Reason::no_matching_subscribers;
        case Outcome::not_retained:
        case Outcome::queue_full:
            return Reason::quota_exceeded;
        case Outcome::given_up:
            return Reason::implementation_specific_error;
        case Outcome::dead_lettered:
        case Outcome::timed_out:
            break;
    }
    return Reason::unspecified_error;
}

}  // namespace

Fault Client::on_publish(const Frame& frame) {
    static thread_local std::string scratch;
    Publish publish;
    if (const Fault fault = decode_publish(version_, frame, publish, scratch)) return fault;
    if (publish.topic_alias != 0 || publish.topic.empty()) {
        if (const Fault fault = resolve_topic(publish)) return fault;
    }
    if (publish.qos > options_.maximum_qos) {
        return {Reason::qos_not_supported, "the QoS is above Maximum QoS [MQTT-3.2.2-11]"};
    }
    if (publish.topic.size() >= options_.max_topic_levels &&
        topic_levels(publish.topic) > options_.max_topic_levels) {
        return {Reason::topic_name_invalid, "the topic has too many levels"};
    }
    if (publish.retain && !options_.retain_available) {
        if (v5()) return {Reason::retain_not_supported, "retain is not offered [MQTT-3.2.2-14]"};
        publish.retain = false;
    }
    counters_.messages_received[publish.qos]->add(cell());
    if (const Reason refused = check_publish(publish); is_error(refused)) [[unlikely]] {
        return refuse_publish(publish, refused);
    }
    const MessageView message{.topic = publish.topic,
                              .payload = publish.payload,
                              .properties = publish.properties,
                              .expires_at_ms = expiry_of(publish.message_expiry),
                              .origin = publisher_.endpoint,
                              .qos = static_cast<Qos>(publish.qos),
                              .retain = publish.retain};
    if (publish.qos != 0) return publish_acknowledged(publish, message);
    const auto result = connection_.shard().hub().publish(message, publisher_);
    if (result.outcome == Outcome::no_subscriber) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
    return {};
}

bool Client::may_publish_to(std::string_view topic) const {
    return !topic.starts_with("$SYS/") && topic_levels(topic) <= options_.max_topic_levels;
}

Reason Client::check_publish(const Publish& publish) const {
    if (publish.topic[0] == '$' && publish.topic.starts_with("$SYS/")) {
        return Reason::not_authorized;
    }
    if (options_.check_payload_format && !publish.properties.empty() &&
        ApplicationProperties(publish.properties).payload_format() == 1 &&
        !is_plain_utf8(publish.payload)) {
        return Reason::payload_format_invalid;
    }
    return Reason::success;
}

// The message is dropped; its publisher hears of it where the version can tell it.
Fault Client::refuse_publish(const Publish& publish, Reason reason) {
    counters_.drop(cell(),
                   reason == Reason::not_authorized ? DropReason::acl : DropReason::bad_frames);
    if (publish.qos == 0) return {};
    const auto qos = static_cast<Qos>(publish.qos);
    const DueAck ack{publish.packet_id, true, Outcome::accepted, v5() ? reason : Reason::success};
    auto& due = due_[qos == Qos::exactly_once ? 1 : 0];
    due.waiting.push_back(ack);
    return flush_acks(qos);
}

// Topic aliases [MQTT-3.3.2-8] and following.
Fault Client::resolve_topic(Publish& publish) {
    const uint16_t alias = publish.topic_alias;
    if (alias == 0) return {Reason::protocol_error, "neither a topic nor a topic alias"};
    if (alias > options_.topic_alias_maximum) {
        return {Reason::topic_alias_invalid, "the topic alias is above Topic Alias Maximum"};
    }
    if (!publish.topic.empty()) {
        if (aliases_.size() < alias) aliases_.resize(alias);
        aliases_[alias - 1] = publish.topic;
        return {};
    }
    if (aliases_.size() < alias || aliases_[alias - 1].empty()) {
        return {Reason::protocol_error, "the topic alias stands for nothing yet"};
    }
    publish.topic = aliases_[alias - 1];
    return {};
}

Fault Client::publish_acknowledged(const Publish& publish, const MessageView& message) {
    const bool exactly_once = message.qos == Qos::exactly_once;
    const size_t open = v5() ? due_[0].waiting.size() + open_qos2_ : unacknowledged();
    if (open >= options_.receive_maximum) {
        return {Reason::receive_maximum_exceeded, "more than Receive Maximum unacknowledged"};
    }
    auto& due = due_[exactly_once ? 1 : 0];
    if (exactly_once) {
        if (!session().begin_qos2(publish.packet_id)) {
            // Sent again because our PUBREC got lost: it has been published [MQTT-4.3.3-10].
            if (!due.has(publish.packet_id)) {
                encode_ack(output(), PacketType::pubrec, publish.packet_id);
            }
            return {};
        }
        ++open_qos2_;
    }
    const uint64_t number = due.first + due.waiting.size();
    const uint64_t token = number << 1 | (exactly_once ? 1 : 0);
    const auto result = connection_.shard().hub().publish(message, publisher_, &self_, token);
    if (result.outcome == Outcome::no_subscriber) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
    if (!result.pending && due.waiting.empty()) {
        ++due.first;
        return acknowledge(message.qos, {publish.packet_id, true, result.outcome});
    }
    due.waiting.push_back({publish.packet_id, !result.pending, result.outcome});
    // 3.1.1 has no Receive Maximum: reading stops instead, keep alive with it.
    if (!v5() && unacknowledged() >= options_.receive_maximum) connection_.hold();
    return {};
}

void Client::on_settled(uint64_t token, Outcome outcome) {
    if (ended_) return;
    const Qos qos = (token & 1) != 0 ? Qos::exactly_once : Qos::at_least_once;
    auto& due = due_[token & 1];
    const size_t place = (token >> 1) - due.first;
    if (place >= due.waiting.size()) return;
    due.waiting[place].settled = true;
    due.waiting[place].outcome = outcome;
    if (const Fault fault = flush_acks(qos)) return connection_.fail(fault);
    if (unacknowledged() < options_.receive_maximum) connection_.go_on();
}

Fault Client::flush_acks(Qos qos) {
    auto& due = due_[qos == Qos::exactly_once ? 1 : 0];
    while (!due.waiting.empty() && due.waiting.front().settled) {
        const DueAck ack = due.waiting.pop_front();
        ++due.first;
        if (const Fault fault = acknowledge(qos, ack)) return fault;
    }
    return {};
}

Fault Client::acknowledge(Qos qos, const DueAck& due) {
    const auto type = qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback;
    const Outcome outcome = due.outcome;
    const Reason reason = is_error(due.refusal) ? due.refusal : reason_for(outcome);
    if (reason == Reason::success) {
        encode_ack(output(), type, due.packet_id);
        return {};
    }
    const bool lost = outcome == Outcome::queue_full || outcome == Outcome::timed_out;
    if (!v5() && lost) {
        connection_.service()
            .pauses(connection_.shard())
            .add(client_id(), connection_.shard().now_ms());
        // 3.1.1 cannot say no: only without PUBACK will the client send it again. Then it is new.
        if (qos == Qos::exactly_once) end_qos2(due.packet_id);
        return {reason, "a message could not be taken, and 3.1.1 has no way to say so"};
    }
    if (qos == Qos::exactly_once && v5() && is_error(reason)) end_qos2(due.packet_id);
    Ack ack;
    ack.packet_id = due.packet_id;
    ack.reason = reason;
    if (problem_information_ && is_error(reason)) ack.reason_string = reason_name(reason);
    encode_ack(output(), version_, type, ack, maximum_packet_size_);
    return {};
}

Fault Client::on_acknowledged(const Frame& frame) {
    Ack ack;
    if (const Fault fault = decode_ack(version_, frame, ack)) return fault;
    switch (frame.type()) {
        case PacketType::puback:
            session().on_puback(ack.packet_id, is_error(ack.reason));
            return {};
        case PacketType::pubrec:
            if (!session().on_pubrec(ack.packet_id, is_error(ack.reason)) &&
                !is_error(ack.reason)) {
                // Nothing of ours: told so, for the client to finish [MQTT-4.3.3-4].
                acknowledge_now(PacketType::pubrel, ack.packet_id,
                                Reason::packet_identifier_not_found);
            }
            return {};
        case PacketType::pubcomp:
            session().on_pubcomp(ack.packet_id);
            return {};
        default:
            return on_pubrel(ack);
    }
}

bool Client::end_qos2(uint16_t packet_id) {
    const bool known = session().end_qos2(packet_id);
    if (known && open_qos2_ > 0) --open_qos2_;
    return known;
}

Fault Client::on_pubrel(const Ack& ack) {
    const bool known = end_qos2(ack.packet_id);
    acknowledge_now(PacketType::pubcomp, ack.packet_id,
                    known ? Reason::success : Reason::packet_identifier_not_found);
    return {};
}

void Client::acknowledge_now(PacketType type, uint16_t packet_id, Reason reason) {
    Ack ack;
    ack.packet_id = packet_id;
    ack.reason = reason;
    encode_ack(output(), version_, type, ack, maximum_packet_size_);
}

}  // namespace trestle::mqtt
