// What a client asks for.
#include <algorithm>

#include "core/properties.h"
#include "core/topic.h"
#include "websocket/json/client.h"

namespace trestle::websocket::json {

Fault fault_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
        case Outcome::no_subscriber:
        case Outcome::no_receiver:
            return {};
        case Outcome::not_retained:
            return {Code::quota_exceeded, "delivered, but there is no room to retain it"};
        case Outcome::dead_lettered:
            return {Code::dead_lettered, "no worker took it in time; it went to the dead letters"};
        case Outcome::timed_out:
            return {Code::timed_out, "no worker took it in time"};
        case Outcome::given_up:
            return {Code::given_up, "a route or a worker refused it for good"};
        case Outcome::queue_full:
            break;
    }
    return {Code::queue_full, "a route did not take it; send it again later"};
}

void Client::on_message(std::string_view message, bool is_text) {
    counters_.bytes_received->add(cell(), message.size());
    Operation op;
    Fault fault;
    if (!is_text) {
        fault = {Code::binary_frame, "operations are text frames"};
    } else if (fault = read_operation(message, op); !fault) {
        fault = perform(op);
    }
    if (fault.code == Code::filter_invalid && op.op == Op::subscribe) {
        service_.refusals().count(cell(), SubscriptionRefusal::filter);
    }
    if (fault) refuse(op.id, fault);
    if (is_breach(fault.code)) count_breach();
    adjust_reading();
}

Fault Client::perform(Operation& op) {
    switch (op.op) {
        case Op::subscribe:
            return subscribe(op);
        case Op::unsubscribe:
            return unsubscribe(op);
        case Op::publish:
            return publish(op);
        case Op::request:
            return request(op);
        case Op::ping:
            say_ok(op.id);
            return {};
        case Op::ack:
            return acknowledge(op);
    }
    return {};
}

Fault Client::check_filter(std::string_view filter) const {
    const auto shared = parse_shared(filter);
    const std::string_view plain = shared ? shared->filter : filter;
    if (topic_levels(plain) > options_.max_topic_levels) {
        return {Code::filter_invalid, "the filter has too many levels"};
    }
    for (const auto& refused : options_.refuse_filters) {
        if (filter_covers(refused, plain)) {
            return {Code::not_authorized, "this filter may not be subscribed to"};
        }
    }
    return {};
}

Fault Client::subscribe(const Operation& op) {
    if (Fault fault = check_filter(op.topic)) {
        if (fault.code == Code::not_authorized) {
            service_.refusals().count(cell(), SubscriptionRefusal::refuse_filters);
        }
        return fault;
    }
    const bool shared = is_shared(op.topic);
    if (shared && op.no_local) {
        return {Code::bad_request, "a shared subscription cannot be no_local [MQTT-3.8.3-4]"};
    }
    if (const auto limit = session().refuses(op.topic)) {
        service_.refusals().count(cell(), *limit);
        return {Code::quota_exceeded, "there are too many subscriptions"};
    }
    SubscribeOptions options;
    options.qos = static_cast<Qos>(std::min<uint8_t>(op.qos.value_or(0), 1));
    options.no_local = op.no_local;
    options.retain_as_published = op.retain_as_published;
    options.retain_handling = op.retain_handling;
    options.subscription_id = op.subscription_id;
    const bool known = session().subscribe(op.topic, options);
    std::string text;
    append_subscribed(text, op.id, options.qos);
    say(text);
    // [MQTT-3.3.1-9] to [-11]; never for a shared subscription (section 4.8.2).
    if (!shared && (op.retain_handling == 0 || (op.retain_handling == 1 && !known))) {
        session().send_retained(op.topic, options);
    }
    return {};
}

Fault Client::unsubscribe(const Operation& op) {
    session().unsubscribe(op.topic);
    say_ok(op.id);
    return {};
}

Fault Client::acknowledge(const Operation& op) {
    const uint64_t delivery = *op.delivery;
    if (delivery > UINT16_MAX || !session().on_puback(static_cast<uint16_t>(delivery))) {
        return {Code::unknown_delivery, "no message of this number waits for its ack"};
    }
    say_ok(op.id);
    return {};
}

Fault Client::check_publish(const Operation& op) {
    if (op.qos.value_or(0) > 1) {
        return {Code::qos_not_supported, "QoS 0 and 1 are spoken here"};
    }
    counters_.messages_received[op.qos.value_or(op.op == Op::request ? 1 : 0)]->add(cell());
    if (op.topic.starts_with("$SYS/")) {
        counters_.drop(cell(), DropReason::acl);
        return {Code::not_authorized, "this topic is the server's own"};
    }
    if (topic_levels(op.topic) > options_.max_topic_levels) {
        counters_.drop(cell(), DropReason::bad_key);
        return {Code::topic_invalid, "the topic has too many levels"};
    }
    return {};
}

PublishResult Client::hand_over(const Operation& op, std::string_view properties,
                                uint64_t expires_at_ms, Qos qos, uint64_t token) {
    const MessageView message{.topic = op.topic,
                              .payload = op.payload,
                              .properties = properties,
                              .expires_at_ms = expires_at_ms,
                              .origin = publisher_.endpoint,
                              .qos = qos,
                              .retain = op.retain};
    const bool waits = qos != Qos::at_most_once;
    const auto result = shard_.hub().publish(message, publisher_, waits ? &self_ : nullptr, token);
    if (result.outcome == Outcome::no_subscriber) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
    return result;
}

Fault Client::publish(const Operation& op) {
    if (Fault fault = check_publish(op)) return fault;
    const uint64_t expires =
        op.expiry_s ? shard_.now_ms() + uint64_t{*op.expiry_s} * 1000 : kNeverExpires;
    const uint64_t number = ++last_publish_;
    const auto result =
        hand_over(op, op.properties, expires, static_cast<Qos>(op.qos.value_or(0)), number << 1);
    if (result.pending) {
        publishes_.emplace(number, op.id);
        return {};
    }
    if (Fault fault = fault_of(result.outcome)) return fault;
    say_ok(op.id);
    return {};
}

Fault Client::request(const Operation& op) {
    std::string properties = op.properties;
    const ApplicationProperties given(properties);
    if (given.response_topic() || given.correlation_data()) {
        return {Code::bad_request, "response_topic and correlation_data are the gateway's here"};
    }
    if (op.retain) return {Code::bad_request, "a request is not retained"};
    if (requests_ && requests_->waiting() >= options_.max_pending_requests) {
        return {Code::quota_exceeded, "too many requests wait for their response"};
    }
    if (Fault fault = check_publish(op)) return fault;
    if (!requests_) {
        requests_ = std::make_unique<Requests>(shard_.hub(), service_.ledger(), *this,
                                               publisher_.client_id);
    }
    const uint64_t due = shard_.now_ms() + op.timeout_ms.value_or(options_.request_timeout_ms);
    // Of no use to anybody later.
    const uint64_t expires =
        op.expiry_s ? std::min(due, shard_.now_ms() + uint64_t{*op.expiry_s} * 1000) : due;
    const uint64_t number = requests_->add(op.id, due);
    ApplicationPropertiesWriter writer(properties);
    (void)writer.response_topic(requests_->response_topic());
    (void)writer.correlation_data(std::to_string(number));
    const auto result =
        hand_over(op, properties, expires, static_cast<Qos>(op.qos.value_or(1)), number << 1 | 1);
    if (result.pending) return {};
    if (result.outcome == Outcome::no_subscriber) {
        requests_->refuse(number, {Code::no_subscriber, "nobody takes requests on this topic"});
    } else if (const Fault fault = fault_of(result.outcome)) {
        requests_->refuse(number, fault);
    }
    return {};
}

void Client::on_settled(uint64_t token, Outcome outcome) {
    if (entry_ == nullptr) return;
    const Fault fault = fault_of(outcome);
    if ((token & 1) != 0) {
        if (fault && requests_) requests_->refuse(token >> 1, fault);
        return;
    }
    const auto found = publishes_.find(token >> 1);
    if (found == publishes_.end()) return;
    const std::string id = std::move(found->second);
    publishes_.erase(found);
    fault ? refuse(id, fault) : say_ok(id);
    adjust_reading();
}

}  // namespace trestle::websocket::json
