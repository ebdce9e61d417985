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
        case Outcome::no_receiver:
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

Fault too_many() {
    return {Reason::receive_maximum_exceeded, "more than Receive Maximum unacknowledged"};
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
    return format_holds(publish.properties, publish.payload) ? Reason::success
                                                             : Reason::payload_format_invalid;
}

// Text is what it is said to be, or nobody asks (`check_payload_format`) [MQTT-3.3.2-4].
bool Client::format_holds(std::string_view properties, std::string_view payload) const {
    return !options_.check_payload_format || properties.empty() ||
           ApplicationProperties(properties).payload_format() != 1 || is_plain_utf8(payload);
}

// The message is dropped; its publisher hears of it where the version can tell it.
Fault Client::refuse_publish(const Publish& publish, Reason reason) {
    counters_.drop(cell(),
                   reason == Reason::not_authorized ? DropReason::acl : DropReason::bad_frames);
    if (publish.qos == 0) return {};
    const auto qos = static_cast<Qos>(publish.qos);
    const auto code = static_cast<uint8_t>(reason);
    Incoming& incoming = session().incoming();
    if (v5() && incoming.open() >= options_.receive_maximum) return too_many();
    if (!incoming.refused(qos, publish.packet_id, code)) {
        return acknowledge(qos, {publish.packet_id, Outcome::accepted, code});
    }
    hold_when_full();
    return {};
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
    Incoming& incoming = session().incoming();
    const auto arrival = incoming.arrive(message.qos, publish.packet_id, publish.dup);
    const bool fresh = arrival == Incoming::Arrival::fresh;
    if (v5() && incoming.open() + (fresh ? 1 : 0) > options_.receive_maximum) return too_many();
    if (!fresh) [[unlikely]]
        return arrived_again(publish, arrival);
    const auto result = connection_.shard().hub().publish(message, publisher_, &incoming.waiter(),
                                                          incoming.token(publish.packet_id));
    if (result.outcome == Outcome::no_subscriber) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
    if (result.pending) {
        incoming.pending(message.qos, publish.packet_id);
    } else if (!incoming.settled(message.qos, publish.packet_id, result.outcome)) {
        return acknowledge(message.qos, {publish.packet_id, result.outcome, 0});
    }
    hold_when_full();
    return {};
}

Fault Client::arrived_again(const Publish& publish, Incoming::Arrival arrival) {
    const auto qos = static_cast<Qos>(publish.qos);
    switch (arrival) {
        case Incoming::Arrival::finished:  // our PUBREC got lost [MQTT-4.3.3-10]
            put_ack(PacketType::pubrec, publish.packet_id);
            return {};
        case Incoming::Arrival::in_use:
            if (v5()) return refuse_publish(publish, Reason::packet_identifier_in_use);
            return {Reason::protocol_error, "the packet identifier is in use [MQTT-2.3.1-2]"};
        default:  // what is known already is answered first: nothing else would end the hold
            if (const Fault fault = flush_acks(qos)) return fault;
            hold_when_full();
            return {};
    }
}

// 3.1.1 has no Receive Maximum: reading stops instead, keep alive with it.
void Client::hold_when_full() {
    if (!v5() && session().incoming().due() >= options_.session.max_inflight) connection_.hold();
}

void Client::answers_known(Qos qos) {
    if (const Fault fault = flush_acks(qos)) return connection_.fail(fault);
    if (session().incoming().due() < options_.session.max_inflight) connection_.go_on();
}

Fault Client::flush_acks(Qos qos) {
    Incoming::Answer answer;
    while (session().incoming().next(qos, answer)) {
        if (const Fault fault = acknowledge(qos, answer)) return fault;
    }
    return {};
}

Reason Client::reason_of(const Incoming::Answer& answer) const {
    if (answer.refusal == 0) return reason_for(answer.outcome);
    return v5() ? static_cast<Reason>(answer.refusal) : Reason::success;
}

Fault Client::acknowledge(Qos qos, const Incoming::Answer& answer) {
    const auto type = qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback;
    const Reason reason = reason_of(answer);
    if (reason == Reason::success) {
        put_ack(type, answer.packet_id);
        return {};
    }
    const bool lost = answer.outcome == Outcome::queue_full || answer.outcome == Outcome::timed_out;
    const bool known = qos == Qos::exactly_once && answer.refusal == 0;
    if (!v5() && lost) {
        connection_.service()
            .pauses(connection_.shard())
            .add(client_id(), connection_.shard().now_ms());
        // 3.1.1 cannot say no: only without PUBACK will the client send it again. Then it is new.
        if (known) session().release_incoming(answer.packet_id);
        return {reason, "a message could not be taken, and 3.1.1 has no way to say so"};
    }
    if (known && v5() && is_error(reason)) session().release_incoming(answer.packet_id);
    Ack ack;
    ack.packet_id = answer.packet_id;
    ack.reason = reason;
    if (problem_information_ && is_error(reason)) ack.reason_string = reason_name(reason);
    put_ack(type, ack);
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

Fault Client::on_pubrel(const Ack& ack) {
    const bool known = session().release_incoming(ack.packet_id);
    acknowledge_now(PacketType::pubcomp, ack.packet_id,
                    known ? Reason::success : Reason::packet_identifier_not_found);
    return {};
}

void Client::acknowledge_now(PacketType type, uint16_t packet_id, Reason reason) {
    Ack ack;
    ack.packet_id = packet_id;
    ack.reason = reason;
    put_ack(type, ack);
}

void Client::put_ack(PacketType type, uint16_t packet_id) {
    encode_ack(output(), type, packet_id);
    packets_.count_sent(cell(), 4);
}

void Client::put_ack(PacketType type, const Ack& ack) {
    packets_.count_sent(cell(), encode_ack(output(), version_, type, ack, maximum_packet_size_));
}

}  // namespace trestle::mqtt
