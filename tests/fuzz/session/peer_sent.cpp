// What the client has sent.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/topic.h"
#include "peer.h"

namespace trestle::fuzz {

using namespace mqtt;

void Peer::trace(const char* way, std::string_view bytes) const {
    static const bool wanted = std::getenv("TRESTLE_FUZZ_TRACE") != nullptr;
    if (!wanted || bytes.empty()) return;
    std::fprintf(stderr, "%p %s %s", static_cast<const void*>(this), client_id_.c_str(), way);
    for (const char c : bytes) std::fprintf(stderr, " %02x", static_cast<uint8_t>(c));
    std::fprintf(stderr, "\n");
}

void Peer::sent(std::string_view bytes, bool changed) {
    trace(changed ? "sends, changed," : "sends", bytes);
    changed_ |= changed;
    out_ += bytes;
    std::string_view rest = out_;
    while (!broken_) {
        Frame frame;
        Fault fault;
        const auto status = read_frame(rest, server_.maximum_packet_size, version_, frame, fault);
        if (status == FrameStatus::need_more) break;
        if (status == FrameStatus::fault) {
            broken_ = true;
        } else {
            sent_packet(frame);
            rest.remove_prefix(frame.size);
        }
    }
    out_.erase(0, out_.size() - rest.size());
}

void Peer::sent_packet(const Frame& frame) {
    if (!connect_sent_) return sent_connect(frame);
    switch (frame.type()) {
        case PacketType::publish:
            return sent_publish(frame);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return sent_answer(frame);
        case PacketType::subscribe:
        case PacketType::unsubscribe:
            return sent_filters(frame);
        case PacketType::pingreq:
            if (decode_ping(frame)) {
                broken_ = true;
            } else {
                ++pings_due_;
            }
            return;
        default:
            broken_ = true;  // DISCONNECT ends it as well
    }
}

void Peer::sent_connect(const Frame& frame) {
    Connect packet;
    std::string scratch;
    broken_ = frame.type() != PacketType::connect || decode_connect(frame, packet, scratch);
    if (frame.type() == PacketType::connect) version_ = packet.version;
    if (broken_) return;
    connect_sent_ = true;
    client_id_ = packet.client_id;
    clean_ = packet.clean_start;
    const auto& p = packet.properties;
    maximum_packet_size_ = p.maximum_packet_size.value_or(maximum_packet_size_);
    receive_maximum_ = p.receive_maximum.value_or(receive_maximum_);
    alias_maximum_ = p.topic_alias_maximum.value_or(0);
    if (!client_id_.empty()) {
        session_ = &sessions_[client_id_];
        session_->unanswered.insert(this);
    }
    if (packet.will) {
        world_.journal().note_sent(packet.will->topic, packet.will->payload, !changed_);
    }
}

void Peer::sent_publish(const Frame& frame) {
    Publish publish;
    std::string scratch;
    broken_ = static_cast<bool>(decode_publish(version_, frame, publish, scratch)) ||
              publish.qos > server_.maximum_qos ||
              publish.topic_alias > server_.topic_alias_maximum ||
              (publish.retain && !server_.retain_available && version_ == Version::v5);
    if (broken_) return;
    if (publish.topic_alias != 0) {
        auto& known = my_aliases_[publish.topic_alias];
        if (!publish.topic.empty()) known = publish.topic;
        publish.topic = known;
    }
    broken_ = publish.topic.empty();
    if (broken_) return;
    world_.journal().note_sent(publish.topic, publish.payload, !changed_);
    if (publish.qos == 1) {
        const bool due = std::ranges::count(pubacks_due_, publish.packet_id, &Due::packet_id) != 0;
        pubacks_due_.push_back({publish.packet_id, due});
        session().open.erase(publish.packet_id);  // a client that reuses an id has given up on it
    }
    if (publish.qos == 2) sent_exactly_once(publish);
}

void Peer::sent_exactly_once(const Publish& publish) {
    auto& open = session().open;
    const auto known = open.find(publish.packet_id);
    // One whose PUBREL came before the PUBREC is still under way.
    const bool due = std::ranges::count(pubrecs_due_, publish.packet_id, &Due::packet_id) != 0;
    pubrecs_due_.push_back({publish.packet_id, due || known != open.end()});
    std::shared_ptr<Handshake> handshake;
    if (!accepted_) {
        // Nobody knows yet which session it will be part of.
        handshake = std::make_shared<Handshake>();
        handshake->allowed = 1'000'000;
    } else if (known != open.end()) {
        handshake = known->second;
    } else {
        handshake = open[publish.packet_id] = std::make_shared<Handshake>();
    }
    if (changed_) handshake->allowed = 1'000'000;
    world_.journal().note_handshake(publish.payload, std::move(handshake));
}

void Peer::sent_answer(const Frame& frame) {
    mqtt::Ack ack;
    broken_ = static_cast<bool>(decode_ack(version_, frame, ack));
    if (broken_) return;
    if (frame.type() == PacketType::pubrel) {
        session().open.erase(ack.packet_id);
        pubcomps_due_.insert(ack.packet_id);
        return;
    }
    const auto advance = [&](std::map<uint16_t, Stage>& all) {
        const auto found = all.find(ack.packet_id);
        if (found == all.end()) return;
        session().doubtful.insert(ack.packet_id);
        if (frame.type() == PacketType::pubrec && !is_error(ack.reason)) {
            // Of QoS 1 it is no answer: the message will come again.
            if (found->second == Stage::exactly_once) found->second = Stage::released;
        } else if (frame.type() != PacketType::pubcomp || found->second == Stage::released) {
            all.erase(found);
        }
    };
    advance(in_flight_);
    advance(session().unacknowledged);
}

void Peer::sent_filters(const Frame& frame) {
    if (frame.type() == PacketType::unsubscribe) {
        Unsubscribe packet;
        broken_ = static_cast<bool>(decode_unsubscribe(version_, frame, packet));
        if (!broken_) unsubacks_due_.emplace_back(packet.packet_id, packet.filters.size());
        return;
    }
    Subscribe packet;
    broken_ = static_cast<bool>(decode_subscribe(version_, frame, packet));
    if (broken_) return;
    for (const auto& one : packet.filters) {
        const auto shared = parse_shared(one.filter);
        auto& mine = accepted_ ? session().filters : early_filters_;
        mine.emplace(shared ? shared->filter : one.filter);
    }
    subacks_due_.emplace_back(packet.packet_id, packet.filters.size());
}

std::vector<uint16_t> Peer::open_handshakes() const {
    std::vector<uint16_t> all;
    for (const auto& [id, handshake] : (session_ != nullptr ? *session_ : own_).open) {
        all.push_back(id);
    }
    return all;
}

}  // namespace trestle::fuzz
