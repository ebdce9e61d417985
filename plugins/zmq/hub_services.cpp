#include "zmq/hub_services.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "core/properties.h"
#include "core/topic.h"
#include "core/utf8.h"
#include "zmq/endpoint.h"
#include "zmq/work/mdp.h"

namespace trestle::zmq {

namespace {

// Retained messages in one answer of Majordomo 0.1, and their bytes.
constexpr size_t kPage = 100;
constexpr size_t kPageBytes = 1u << 20;
// Parts of an answer sent in one go, and how soon a peer that does not take them is tried again.
constexpr size_t kPortion = 256;
constexpr uint64_t kRetryMs = 20;
constexpr std::string_view kInbox = "$trestle/reply/";

std::string random_name() {
    std::random_device device;
    return write_tag(static_cast<uint64_t>(device()) << 32U | device());
}

std::string_view status_for(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
            return "200";
        case Outcome::no_subscriber:
            return "204";
        default:
            return "503";
    }
}

// The request's own, but for where the answer goes: that is the gateway's.
std::string without_answer_address(std::string_view properties) {
    std::string kept;
    ApplicationPropertiesWriter writer(kept);
    for (const auto& property : ApplicationProperties(properties)) {
        switch (property.id) {
            case ApplicationPropertyId::payload_format:
                static_cast<void>(writer.payload_format(static_cast<uint8_t>(property.value[0])));
                break;
            case ApplicationPropertyId::content_type:
                static_cast<void>(writer.content_type(property.value));
                break;
            case ApplicationPropertyId::user_property:
                static_cast<void>(writer.user_property(property.name, property.value));
                break;
            default:
                break;
        }
    }
    return kept;
}

}  // namespace

struct HubServices::Order {
    MessageView message;
    IncomingMeta meta;
};

/// Hears devices' answers.
class HubServices::Inbox final : public Subscriber {
 public:
    Inbox(HubServices& owner, HubShard& hub) : owner_(owner), hub_(hub) {
        hub_.subscribe(*this, owner.inbox_prefix_ + "+", {.qos = Qos::at_least_once});
    }
    ~Inbox() override { hub_.unsubscribe(*this, owner_.inbox_prefix_ + "+"); }
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;
    void deliver(Delivery& delivery, const SubscriptionMatch& /*match*/) override {
        owner_.on_device_answer(delivery.message().topic, delivery.message());
    }

 private:
    HubServices& owner_;
    HubShard& hub_;
};

/// Hears of publishes that were not settled at once.
class HubServices::Settled final : public AckReceiver {
 public:
    explicit Settled(HubServices& owner) : owner_(owner) {}
    void on_settled(uint64_t token, Outcome outcome) override {
        auto node = owner_.publishing_.extract(token);
        if (!node.empty()) node.mapped()(status_for(outcome));
    }

 private:
    HubServices& owner_;
};

HubServices::HubServices(EndpointContext& context, const EndpointCounters& counters,
                         const Limits& limits, Answer answer)
    : context_(context),
      counters_(counters),
      limits_(limits),
      answer_(std::move(answer)),
      inbox_prefix_(std::string(kInbox) + random_name() + "/"),
      settled_(std::make_shared<Settled>(*this)),
      waiter_(settled_),
      timer_(
          context.home().timers(), [](void* self) { static_cast<HubServices*>(self)->on_timer(); },
          this) {
    publisher_.endpoint = context.id();
}

HubServices::~HubServices() = default;

void HubServices::start() { inbox_ = std::make_unique<Inbox>(*this, context_.home().hub()); }

void HubServices::forsake_devices() {
    inbox_.reset();
    for (const auto& [number, asked] : std::exchange(asked_, {})) say(asked.client, "503");
}

void HubServices::stop() {
    is_stopped_ = true;
    forsake_devices();
    timer_.cancel();
    for (const auto& [token, done] : std::exchange(publishing_, {})) done("503");
    for (const auto& snapshot : std::exchange(snapshots_, {})) say(snapshot.call->client, "503");
}

bool HubServices::has(std::string_view service) {
    return service == "mqtt.publish" || service == "mqtt.request" || service == "mqtt.retained";
}

void HubServices::say(const ClientAddress& client, std::string_view status) const {
    answer_(client, true, {&status, 1});
}

void HubServices::call(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, body] = *call;
    if (!has(client.service)) return say(client, "501");
    if (is_stopped_ || open() >= limits_.max_requests) return say(client, "503");
    if (client.service == "mqtt.retained") return read_retained(call);
    if (body.size() != 3) return say(client, "400");
    if (client.service == "mqtt.request") return ask_device(call);
    publish(body[0], body[1], body[2],
            [this, client = client](std::string_view status) { say(client, status); });
}

std::string_view HubServices::read_order(std::string_view topic, std::string_view meta,
                                         std::string_view payload, Order& order) const {
    if (!is_valid_topic_name(topic) || !is_valid_mqtt_utf8(topic)) return "400";
    if (topic.front() == '$') return "403";
    if (!meta.empty()) {
        auto read = read_meta(meta);
        if (!read) return "400";
        order.meta = std::move(*read);
    }
    MessageView& message = order.message;
    message.topic = topic;
    message.payload = payload;
    message.properties = order.meta.properties;
    message.origin = context_.id();
    message.qos = order.meta.qos.value_or(Qos::at_least_once);
    message.retain = order.meta.retain.value_or(false);
    if (order.meta.expiry_s) {
        message.expires_at_ms = context_.home().now_ms() + *order.meta.expiry_s * uint64_t{1000};
    }
    return {};
}

PublishResult HubServices::publish_now(const Order& order, const std::weak_ptr<AckReceiver>* waiter,
                                       uint64_t token) {
    const ShardIndex home = context_.home().index();
    counters_.messages_received[static_cast<size_t>(order.message.qos)]->add(home);
    const auto result = context_.home().hub().publish(order.message, publisher_, waiter, token);
    if (result.outcome == Outcome::no_subscriber) counters_.drop(home, DropReason::no_subscriber);
    return result;
}

void HubServices::publish(std::string_view topic, std::string_view meta, std::string_view payload,
                          Done done) {
    Order order;
    const std::string_view fault = read_order(topic, meta, payload, order);
    if (!fault.empty()) return done(fault);
    if (is_stopped_ || open() >= limits_.max_requests) return done("503");
    const bool can_wait = order.message.qos != Qos::at_most_once;
    const uint64_t token = next_++;
    const auto result = publish_now(order, can_wait ? &waiter_ : nullptr, token);
    if (!result.pending) return done(status_for(result.outcome));
    publishing_.emplace(token, std::move(done));
}

void HubServices::ask_device(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, body] = *call;
    if (!inbox_) return say(client, "503");
    Order order;
    const std::string_view fault = read_order(body[0], body[1], body[2], order);
    if (!fault.empty()) return say(client, fault);
    const uint64_t number = next_++;
    const std::string name = write_tag(number);
    std::string properties = without_answer_address(order.meta.properties);
    ApplicationPropertiesWriter writer(properties);
    static_cast<void>(writer.response_topic(inbox_prefix_ + name));
    static_cast<void>(writer.correlation_data(name));
    order.message.properties = properties;
    order.message.retain = false;
    // It may answer before `publish` returns.
    const uint64_t timeout_ms = order.meta.timeout_ms.value_or(limits_.timeout_ms);
    asked_.emplace(number, Asked{client, context_.home().now_ms() + timeout_ms});
    const auto result = publish_now(order, nullptr, 0);
    if (result.outcome == Outcome::no_subscriber && asked_.erase(number) != 0) {
        return say(client, "404");
    }
    const uint64_t due_ms = context_.home().now_ms() + timeout_ms;
    if (!timer_.is_set() || due_ms < timer_.due_ms()) timer_.set(due_ms);
}

void HubServices::on_device_answer(std::string_view topic, const MessageView& message) {
    const auto number = read_tag(topic.substr(inbox_prefix_.size()));
    if (!number) return;
    const auto correlation = ApplicationProperties(message.properties).correlation_data();
    if (correlation && *correlation != topic.substr(inbox_prefix_.size())) return;
    auto node = asked_.extract(*number);
    if (node.empty()) return;  // too late, or a second answer
    const std::string_view body[] = {"200", message.payload};
    answer_(node.mapped().client, true, body);
}

std::string HubServices::meta_of(const MessageView& message) const {
    return write_meta({.message = message,
                       .qos = message.qos,
                       .client = {},
                       .user = {},
                       .taken_ms = wall_clock_ms(),
                       .now_ms = context_.home().now_ms()});
}

// Body: the filter and, to go on, what the answer before said.
void HubServices::read_retained(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, body] = *call;
    const bool is_good = (body.size() == 1 || body.size() == 2) && is_valid_topic_filter(body[0]) &&
                         is_valid_mqtt_utf8(body[0]) && !body[0].starts_with("$share/") &&
                         (body.size() == 1 || body[1].size() <= kMaxTopicBytes);
    if (!is_good) return say(client, "400");
    RetainedCursor cursor;
    cursor.filter = body[0];
    if (body.size() == 2 && !body[1].empty()) {
        cursor.after = body[1];
        cursor.begun = true;
    }
    if (client.dialect == Dialect::mdp1) return answer_page(*call, cursor);
    Snapshot snapshot{
        call, std::move(cursor), {}, 0, context_.home().now_ms() + limits_.timeout_ms};
    if (send_portion(snapshot)) return;
    snapshots_.push_back(std::move(snapshot));
    timer_.set(context_.home().now_ms() + kRetryMs);
}

// In 0.1 an answer is one message: status, where to go on, and three frames for each.
void HubServices::answer_page(const ServiceCall& call, RetainedCursor& cursor) {
    auto& store = context_.home().hub().hub().retained();
    std::vector<MessagePtr> found;
    size_t bytes = 0;
    while (!cursor.done && found.size() < kPage && bytes < kPageBytes) {
        const size_t before = found.size();
        store.collect(cursor, std::min<size_t>(8, kPage - before), context_.home().now_ms(), found);
        for (size_t i = before; i < found.size(); ++i) bytes += found[i]->view().size();
    }
    std::vector<std::string> metas;
    metas.reserve(found.size());
    std::vector<std::string_view> body{cursor.done ? "200" : "206",
                                       cursor.done ? std::string_view() : cursor.after};
    for (const auto& message : found) {
        metas.push_back(meta_of(message->view()));
        body.insert(body.end(), {message->view().topic, metas.back(), message->view().payload});
    }
    answer_(call.client, true, body);
}

// True when all has been sent, or nothing more can be.
bool HubServices::send_portion(Snapshot& snapshot) {
    auto& store = context_.home().hub().hub().retained();
    const ClientAddress& client = snapshot.call->client;
    for (size_t sent = 0; sent < kPortion; ++sent) {
        if (snapshot.next == snapshot.batch.size()) {
            snapshot.batch.clear();
            snapshot.next = 0;
            if (snapshot.cursor.done) {
                say(client, "200");
                return true;
            }
            store.collect(snapshot.cursor, 64, context_.home().now_ms(), snapshot.batch);
            continue;
        }
        const MessageView& message = snapshot.batch[snapshot.next]->view();
        const std::string meta = meta_of(message);
        const std::string_view body[] = {message.topic, meta, message.payload};
        const auto result = answer_(client, false, body);
        if (result == Socket::Sent::gone) return true;
        if (result == Socket::Sent::full) return false;
        ++snapshot.next;
    }
    return false;
}

void HubServices::go_on_with_snapshots() {
    const uint64_t now_ms = context_.home().now_ms();
    std::erase_if(snapshots_, [&](Snapshot& snapshot) {
        if (send_portion(snapshot)) return true;
        if (snapshot.due_ms > now_ms) return false;
        say(snapshot.call->client, "408");
        return true;
    });
}

void HubServices::on_timer() {
    const uint64_t now_ms = context_.home().now_ms();
    go_on_with_snapshots();
    std::vector<ClientAddress> late;
    std::erase_if(asked_, [&](auto& entry) {
        if (entry.second.due_ms > now_ms) return false;
        late.push_back(std::move(entry.second.client));
        return true;
    });
    for (const auto& client : late) say(client, "408");
    arm();
}

void HubServices::arm() {
    if (asked_.empty() && snapshots_.empty()) return;
    uint64_t due_ms = TimerQueue::kNothing;
    for (const auto& [number, asked] : asked_) due_ms = std::min(due_ms, asked.due_ms);
    if (!snapshots_.empty()) due_ms = std::min(due_ms, context_.home().now_ms() + kRetryMs);
    // Not too often: each time costs a look at all that wait.
    timer_.set(std::max(due_ms, context_.home().now_ms() + kRetryMs));
}

}  // namespace trestle::zmq
