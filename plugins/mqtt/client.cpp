// A client's coming and going; what is published and subscribed is in client_publish.cpp and
// client_subscribe.cpp.
#include "mqtt/client.h"

#include <algorithm>
#include <utility>

#include "core/topic.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"
#include "plugin_api/client_id.h"

namespace trestle::mqtt {

Client::Client(Connection& connection, Version version)
    : connection_(connection),
      options_(connection.service().options()),
      counters_(connection.service().counters()),
      packets_(connection.service().packets()),
      version_(version) {}

Client::~Client() { end(true); }

Fault Client::on_connect(const Connect& connect, Refusal& why) {
    if (connect.properties.authentication_method) {
        return {Reason::bad_authentication_method, "no authentication method is configured"};
    }
    if (connect.will && connect.will->qos > options_.maximum_qos) {
        return {Reason::qos_not_supported, "the will's QoS is not offered [MQTT-3.2.2-12]"};
    }
    if (connect.will && connect.will->retain && v5() && !options_.retain_available) {
        return {Reason::retain_not_supported, "a retained will is not offered [MQTT-3.2.2-13]"};
    }
    if (connect.will && v5() && !format_holds(connect.will->properties, connect.will->payload)) {
        return {Reason::payload_format_invalid, "the will is not the text it is said to be"};
    }
    if (connect.will && !may_publish_to(connect.will->topic)) {
        return {Reason::not_authorized,
                "the will's topic is the server's own or has too many levels"};
    }
    const bool assigned = connect.client_id.empty();
    publisher_.client_id = assigned ? assign_client_id(connection_.service().context().host(),
                                                       connection_.shard(), "auto-")
                                    : std::string(connect.client_id);
    if (connect.user_name) publisher_.user = *connect.user_name;
    publisher_.endpoint = connection_.service().context().id();
    const auto& properties = connect.properties;
    problem_information_ = properties.request_problem_information.value_or(true);
    maximum_packet_size_ =
        properties.maximum_packet_size.value_or(static_cast<uint32_t>(kLargestPacket));
    const uint16_t aliases =
        std::min(properties.topic_alias_maximum.value_or(0), options_.outgoing_topic_aliases);
    if (aliases != 0) our_aliases_ = std::make_unique<TopicAliases>(aliases);
    // In 3.1.1 a session that is not clean lasts; here it lasts as long as the server lets any.
    const uint32_t asked = v5() ? properties.session_expiry_interval.value_or(0)
                                : (connect.clean_start ? 0 : kSessionNeverExpires);
    session_expiry_s_ = std::min(asked, options_.session_expiry_maximum);
    asked_to_last_ = asked != 0;
    if (!keep_will(connect)) {
        why = Refusal::max_session_bytes;
        return {Reason::quota_exceeded, "there is no room for the will among what sessions hold"};
    }
    SessionQuota::Place place;
    if (!take_place(connect.clean_start, place)) {
        why = Refusal::max_sessions;
        return {Reason::quota_exceeded, "no more sessions may outlive their connections"};
    }
    const bool present = open_session(connect, std::move(place));
    packets_.connects->add(cell());
    counters_.connections->add(cell(), 1);
    if (!send_connack(connect, present, assigned)) {
        connection_.close();  // it takes packets that are too small even for CONNACK
        return {};
    }
    const uint16_t most = options_.server_keep_alive;
    const bool too_long = most != 0 && (connect.keep_alive == 0 || connect.keep_alive > most);
    keep_alive_s_ = too_long ? most : connect.keep_alive;
    connected_ms_ = connection_.shard().now_ms();
    connection_.watch(keep_alive_s_);
    session().attach(*this, properties.receive_maximum.value_or(65'535));
    return {};
}

// A session that is to outlive its connection needs a place among those that do: the one that it
// has, if it goes on, or that of the session that it replaces, or a new one. DISCONNECT can make
// its life longer or shorter, but never longer than its connection when it was not to be from the
// beginning [MQTT-3.14.2-2].
bool Client::take_place(bool clean_start, SessionQuota::Place& place) {
    if (session_expiry_s_ == 0) return true;
    auto& quota = connection_.service().session_quota();
    auto* before = connection_.shard().hub().sessions().find(publisher_.client_id);
    if (before != nullptr && before->place) {
        if (!clean_start) return true;
        if (before->place.is_of(quota)) {
            place = std::move(before->place);
            return true;
        }
    }
    place = quota.take(cell());
    return static_cast<bool>(place);
}

// True when there was a session that goes on [MQTT-3.1.2-5], [MQTT-3.1.2-6].
bool Client::open_session(const Connect& connect, SessionQuota::Place place) {
    auto& sessions = connection_.shard().hub().sessions();
    if (auto* before = sessions.find(publisher_.client_id); before != nullptr) {
        if (before->holder != nullptr) before->holder->take_over();
        before = sessions.find(publisher_.client_id);  // it may have ended with its connection
        if (before != nullptr && connect.clean_start) {
            sessions.end(*before);
            before = nullptr;
        }
        if (before != nullptr) {
            sessions.hold(*before, *this);
            entry_ = before;
            if (session_expiry_s_ == 0) before->place.give_back();
            publisher_.self = &session();
            return true;
        }
    }
    entry_ = &sessions.create(publisher_.client_id, *this, options_.session,
                              connection_.service().ledger());
    entry_->place = std::move(place);
    publisher_.self = &session();
    return false;
}

bool Client::send_connack(const Connect& connect, bool session_present, bool assigned) {
    Connack connack;
    connack.session_present = session_present;
    if (v5()) offer(connack.properties, connect, assigned);
    const size_t size = encode_connack(output(), version_, connack, maximum_packet_size_);
    packets_.count_sent(cell(), size);
    return size != 0;
}

// What the server allows and grants (section 3.2.2.3).
void Client::offer(Properties& p, const Connect& connect, bool assigned) const {
    p.receive_maximum = options_.receive_maximum;
    p.maximum_packet_size = options_.maximum_packet_size;
    p.topic_alias_maximum = options_.topic_alias_maximum;
    if (options_.maximum_qos < 2) p.maximum_qos = options_.maximum_qos;
    p.retain_available = options_.retain_available;
    p.wildcard_subscription_available = options_.wildcard_subscription_available;
    p.subscription_identifier_available = true;
    p.shared_subscription_available = options_.shared_subscription_available;
    if (assigned) p.assigned_client_identifier = publisher_.client_id;
    if (session_expiry_s_ != connect.properties.session_expiry_interval.value_or(0)) {
        p.session_expiry_interval = session_expiry_s_;
    }
    const uint16_t most = options_.server_keep_alive;
    if (most != 0 && (connect.keep_alive == 0 || connect.keep_alive > most)) {
        p.server_keep_alive = most;
    }
    if (connect.properties.request_response_information.value_or(false) &&
        !options_.response_information.empty()) {
        p.response_information = options_.response_information;
    }
}

uint64_t Client::expiry_of(std::optional<uint32_t> seconds) const {
    if (!seconds) return kNeverExpires;
    return connection_.shard().now_ms() + uint64_t{*seconds} * 1000;
}

// False when all sessions together hold as much as they may.
bool Client::keep_will(const Connect& connect) {
    if (!connect.will) return true;
    const auto& will = *connect.will;
    will_ = std::make_unique<trestle::Will>();
    will_->from = publisher_;
    will_->delay_s = will.delay;
    will_->expiry_s = will.message_expiry;
    will_->message = Message::copy_of({.topic = will.topic,
                                       .payload = will.payload,
                                       .properties = will.properties,
                                       .origin = publisher_.endpoint,
                                       .qos = static_cast<Qos>(will.qos),
                                       .retain = will.retain && options_.retain_available});
    will_->held = {connection_.shard().hub().session_bytes(), will_->bytes()};
    return static_cast<bool>(will_->held);
}

void Client::end(bool abnormal) {
    if (ended_ || entry_ == nullptr) return;
    ended_ = true;
    counters_.connections->add(cell(), -1);
    if (!abnormal) will_.reset();  // [MQTT-3.14.4-3]
    publisher_.self = nullptr;
    connection_.shard().hub().sessions().let_go(*std::exchange(entry_, nullptr), session_expiry_s_,
                                                std::move(will_));
}

void Client::leave(const Fault& fault) {
    disconnect(fault);
    end(true);
    connection_.close();
}

void Client::take_over() {
    leave({Reason::session_taken_over, "another connection uses the same client id"});
}

void Client::send_away() {
    leave({Reason::administrative_action, "an operator has ended the connection"});
}

ConnectionReport Client::report() const {
    const char* protocol = v5()                        ? "MQTT 5.0"
                           : version_ == Version::v311 ? "MQTT 3.1.1"
                                                       : "MQTT 3.1";
    return {publisher_.endpoint, protocol,      connection_.peer().address,
            publisher_.user,     keep_alive_s_, connected_ms_};
}

void Client::disconnect(const Fault& fault) {
    if (!v5() || ended_) return;
    Disconnect packet;
    packet.reason = fault.reason;
    if (problem_information_ && fault.sentence != nullptr) {
        packet.properties.reason_string = fault.sentence;
    }
    packets_.count_sent(cell(),
                        encode_disconnect(output(), version_, packet, maximum_packet_size_));
}

Fault Client::on_disconnect(const Frame& frame) {
    Disconnect packet;
    if (const Fault fault = decode_disconnect(version_, frame, packet)) return fault;
    if (const auto expiry = packet.properties.session_expiry_interval) {
        if (!asked_to_last_ && *expiry != 0) {
            return {Reason::protocol_error,
                    "a session without expiry cannot get one at DISCONNECT [MQTT-3.14.2-2]"};
        }
        session_expiry_s_ = std::min(*expiry, options_.session_expiry_maximum);
    }
    end(packet.reason != Reason::success);  // the will goes with 0x00 [MQTT-3.1.2-8]
    connection_.close();
    return {};
}

Fault Client::on_packet(const Frame& frame) {
    if (frame.type() == PacketType::publish) return on_publish(frame);
    if (filter_work_) return work_off(frame, std::move(*std::exchange(filter_work_, nullptr)));
    packets_.count_received(cell(), frame.size);
    switch (frame.type()) {
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return on_acknowledged(frame);
        case PacketType::subscribe:
            return on_subscribe(frame);
        case PacketType::unsubscribe:
            return on_unsubscribe(frame);
        case PacketType::pingreq:
            if (const Fault fault = decode_ping(frame)) return fault;
            encode_pingresp(output());
            packets_.count_sent(cell(), 2);
            return {};
        case PacketType::disconnect:
            return on_disconnect(frame);
        case PacketType::connect:
            return {Reason::protocol_error, "a second CONNECT [MQTT-3.1.0-2]"};
        case PacketType::auth:
            return {Reason::protocol_error, "AUTH without an authentication method"};
        default:
            return {Reason::protocol_error, "a packet that only a server sends"};
    }
}

bool Client::writable() const { return connection_.writable(); }

void Client::on_writable() {
    if (entry_ != nullptr) session().pump();
}

bool Client::send(const OutgoingPublish& out) {
    const bool shared = out.forms != nullptr && !our_aliases_ && out.subscription_ids.empty();
    const size_t size = shared ? encode_shared(out) : encode(out);
    if (size == 0) return false;
    counters_.messages_sent[static_cast<size_t>(out.qos)]->add(cell());
    counters_.bytes_sent->add(cell(), size);
    return true;
}

// As another connection has written it just now, but for the packet id.
size_t Client::encode_shared(const OutgoingPublish& out) {
    const size_t form =
        static_cast<size_t>(out.qos) << 2 | (out.retain ? 2U : 0U) | (v5() ? 1U : 0U);
    const std::string_view known = out.forms->find(form);
    if (known.empty()) {
        const size_t size = encode(out);
        if (size != 0) out.forms->set(form, output().last(size));
        return size;
    }
    if (known.size() > maximum_packet_size_) return 0;
    char* bytes = output().append(known);
    if (out.packet_id != 0) put_packet_id(bytes, out.message.topic, out.packet_id);
    return known.size();
}

size_t Client::encode(const OutgoingPublish& out) {
    Publish packet;
    packet.topic = out.message.topic;
    packet.payload = out.message.payload;
    packet.properties = out.message.properties;
    packet.subscription_ids = out.subscription_ids;
    packet.packet_id = out.packet_id;
    packet.qos = static_cast<uint8_t>(out.qos);
    packet.retain = out.retain;
    packet.dup = out.dup;
    if (out.message.expires_at_ms != kNeverExpires) {
        // Less the whole seconds that it has waited [MQTT-3.3.2-6].
        const uint64_t now = connection_.shard().now_ms();
        const uint64_t left =
            out.message.expires_at_ms > now ? (out.message.expires_at_ms - now + 999) / 1000 : 0;
        packet.message_expiry = static_cast<uint32_t>(left);
    }
    return our_aliases_ ? encode_with_alias(packet)
                        : encode_publish(output(), version_, packet, maximum_packet_size_);
}

size_t Client::encode_with_alias(Publish& packet) {
    const std::string_view topic = packet.topic;
    const auto choice = our_aliases_->choose(topic);
    packet.topic_alias = choice.alias;
    if (!choice.send_topic) packet.topic = {};
    size_t size = encode_publish(output(), version_, packet, maximum_packet_size_);
    if (size != 0) {
        our_aliases_->sent(choice, topic);
    } else if (choice.alias != 0 && choice.send_topic) {
        packet.topic_alias = 0;  // it is the alias that does not fit
        size = encode_publish(output(), version_, packet, maximum_packet_size_);
    }
    return size;
}

void Client::send_pubrel(uint16_t packet_id) { put_ack(PacketType::pubrel, packet_id); }

}  // namespace trestle::mqtt
