// What a client subscribes to.
#include "core/topic.h"
#include "mqtt/client.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"

namespace trestle::mqtt {

namespace {

// What it takes to look at a filter, in units of work; what it changes is counted by the hub.
constexpr size_t kUnitsOfFilter = 3;
constexpr size_t kBytesPerUnit = 64;

std::string reserved(size_t size) {
    std::string text;
    text.reserve(size);
    return text;
}

}  // namespace

Fault Client::on_subscribe(const Frame& frame) {
    Subscribe packet;
    if (const Fault fault = decode_subscribe(version_, frame, packet)) return fault;
    if (session().incoming_in_use(packet.packet_id)) {
        return refuse_id(PacketType::suback, packet.packet_id, packet.filters.size());
    }
    return work_off(frame, {PacketType::suback, packet.packet_id,
                            packet.properties.subscription_identifier.value_or(0),
                            packet.filters.begin().left(), reserved(packet.filters.size())});
}

// As much as this turn allows. The packet stays with the stream meanwhile, and nothing behind it is
// read; the answer follows when all is done. Who is gone before has no answer, and may find that
// some of it is done.
Fault Client::work_off(const Frame& frame, FilterWork work) {
    HubShard& hub = connection_.shard().hub();
    const uint64_t enough = hub.work() + connection_.shard().work_left();
    const bool subscribes = work.answer == PacketType::suback;
    FilterList::Iterator next(frame.body.substr(frame.body.size() - work.left), subscribes);
    for (; next.left() != 0 && hub.work() < enough; ++next) {
        hub.add_work(kUnitsOfFilter + next->filter.size() / kBytesPerUnit);
        const Reason reason =
            subscribes ? subscribe_one(*next, work.subscription_id) : unsubscribe_one(next->filter);
        work.reasons.push_back(static_cast<char>(reason));
    }
    work.left = next.left();
    if (work.left != 0) {
        filter_work_ = std::make_unique<FilterWork>(std::move(work));
        return {};
    }
    if (const Fault fault = answer(work.answer, work.packet_id, work.reasons)) return fault;
    if (subscribes) session().pump();  // retained messages
    return {};
}

// A message that the client has published and not finished has this packet id [MQTT-2.2.1-3].
Fault Client::refuse_id(PacketType type, uint16_t packet_id, size_t filters) {
    if (!v5()) {
        return {Reason::protocol_error, "the packet identifier is in use [MQTT-2.3.1-2]"};
    }
    if (type == PacketType::suback) {
        connection_.service().refusals().count(cell(), SubscriptionRefusal::packet_id, filters);
    }
    const auto code = static_cast<char>(Reason::packet_identifier_in_use);
    return answer(type, packet_id, std::string(filters, code));
}

// With a sentence about the first filter that was refused, if the client wants to know.
Fault Client::answer(PacketType type, uint16_t packet_id, std::string_view reasons) {
    SubscriptionAck ack;
    ack.packet_id = packet_id;
    ack.reasons = reasons;
    if (problem_information_) {
        for (const char c : reasons) {
            const auto reason = static_cast<Reason>(static_cast<uint8_t>(c));
            if (!is_error(reason)) continue;
            ack.properties.reason_string = reason_name(reason);
            break;
        }
    }
    const size_t size = type == PacketType::suback
                            ? encode_suback(output(), version_, ack, maximum_packet_size_)
                            : encode_unsuback(output(), version_, ack, maximum_packet_size_);
    packets_.count_sent(cell(), size);
    if (size != 0) return {};
    return {Reason::packet_too_large, "the answer is larger than the client takes [MQTT-3.1.2-24]"};
}

Reason Client::check_filter(std::string_view filter) const {
    if (!is_valid_subscription(filter)) return Reason::topic_filter_invalid;
    const bool shared = is_shared(filter);
    const std::string_view plain = shared ? parse_shared(filter)->filter : filter;
    if (topic_levels(plain) > options_.max_topic_levels) return Reason::topic_filter_invalid;
    if (shared && !options_.shared_subscription_available) {
        return Reason::shared_subscriptions_not_supported;
    }
    if (!options_.wildcard_subscription_available &&
        plain.find_first_of("+#") != std::string_view::npos) {
        return Reason::wildcard_subscriptions_not_supported;
    }
    for (const auto& refused : options_.refuse_filters) {
        if (filter_covers(refused, plain)) return Reason::unspecified_error;
    }
    return Reason::success;
}

Reason Client::subscribe_one(const Subscription& wanted, uint32_t subscription_id) {
    const auto refuse = [this](SubscriptionRefusal why, Reason reason) {
        connection_.service().refusals().count(cell(), why);
        return reason;
    };
    if (const Reason refused = check_filter(wanted.filter); is_error(refused)) {
        return refuse(refused == Reason::unspecified_error ? SubscriptionRefusal::refuse_filters
                                                           : SubscriptionRefusal::filter,
                      refused);
    }
    if (const auto limit = session().refuses(wanted.filter)) {
        return refuse(*limit, Reason::quota_exceeded);
    }
    SubscribeOptions options;
    options.qos = static_cast<Qos>(std::min(wanted.qos, options_.maximum_qos));
    options.no_local = wanted.no_local;
    options.retain_as_published = wanted.retain_as_published;
    options.retain_handling = wanted.retain_handling;
    options.subscription_id = subscription_id;
    const std::string filter(wanted.filter);
    const bool known = session().subscribe(filter, options);
    // [MQTT-3.3.1-9] to [-11]; never for a shared subscription (section 4.8.2).
    if (!is_shared(filter) &&
        (options.retain_handling == 0 || (options.retain_handling == 1 && !known))) {
        session().want_retained(filter, options);
    }
    return static_cast<Reason>(options.qos);
}

Fault Client::on_unsubscribe(const Frame& frame) {
    Unsubscribe packet;
    if (const Fault fault = decode_unsubscribe(version_, frame, packet)) return fault;
    if (session().incoming_in_use(packet.packet_id)) {
        return refuse_id(PacketType::unsuback, packet.packet_id, packet.filters.size());
    }
    return work_off(frame, {PacketType::unsuback, packet.packet_id, 0,
                            packet.filters.begin().left(), reserved(packet.filters.size())});
}

Reason Client::unsubscribe_one(std::string_view filter) {
    return session().unsubscribe(std::string(filter)) ? Reason::success
                                                      : Reason::no_subscription_existed;
}

}  // namespace trestle::mqtt
