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
// Parts of an answer sent in one go, their bytes, and how soon a peer that does not take them is
// tried again.
constexpr size_t kPortion = 64;
constexpr size_t kPortionBytes = 1u << 20;
constexpr uint64_t kRetryMs = 20;
constexpr std::string_view kInbox = "$trestle/reply/";

std::string random_name() {
    std::random_device device;
    return write_tag(static_cast<uint64_t>(device()) << 32U | device());
}

// Whether the hub has it; what became of it at the far end of a route is the route's to count.
std::string_view status_for(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
        case Outcome::no_receiver:
        case Outcome::not_retained:
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
        if (!node.empty()) node.mapped().done(status_for(outcome));
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
      publishes_({limits.max_requests}, {limits.max_requests_per_client}),
      round_trips_({limits.max_requests}, {limits.max_requests_per_client}),
      readers_({limits.max_requests}, {limits.max_requests_per_client}),
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
    for (const auto& [token, publishing] : std::exchange(publishing_, {})) publishing.done("503");
    for (const auto& walk : std::exchange(walks_, {})) say(walk.call->client, "503");
    for (const auto& walk : std::exchange(stuck_, {})) say(walk.call->client, "503");
}

void HubServices::connection_lost(uint64_t connection) {
    const auto is_its = [&](const auto& entry) { return entry.second.connection == connection; };
    if (publishes_.holds(connection)) std::erase_if(publishing_, is_its);
    if (round_trips_.holds(connection)) std::erase_if(asked_, is_its);
    if (!readers_.holds(connection)) return;
    const auto is_for_it = [&](const Walk& walk) { return walk.call->connection == connection; };
    std::erase_if(walks_, is_for_it);
    std::erase_if(stuck_, is_for_it);
}

bool HubServices::has(std::string_view service) {
    return service == "mqtt.publish" || service == "mqtt.request" || service == "mqtt.retained";
}

void HubServices::say(const ClientAddress& client, std::string_view status) const {
    finish(client, {&status, 1});
}

// Who does not take it hears nothing more.
void HubServices::finish(const ClientAddress& client, Frames body) const {
    if (answer_(client, true, body) != Socket::Sent::yes) count_unheard();
}

void HubServices::count_unheard() const {
    counters_.drop(context_.home().index(), DropReason::no_subscriber);
}

void HubServices::call(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, connection, body] = *call;
    if (!has(client.service)) return say(client, "501");
    if (is_stopped_) return say(client, "503");
    if (client.service == "mqtt.retained") return read_retained(call);
    if (body.size() != 3) return say(client, "400");
    if (client.service == "mqtt.request") return ask_device(call);
    publish(body[0], body[1], body[2], connection,
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
                          uint64_t connection, Done done) {
    Order order;
    const std::string_view fault = read_order(topic, meta, payload, order);
    if (!fault.empty()) return done(fault);
    if (is_stopped_ || !publishes_.has_room(connection)) return done("503");
    const bool can_wait = order.message.qos != Qos::at_most_once;
    const uint64_t token = next_++;
    const auto result = publish_now(order, can_wait ? &waiter_ : nullptr, token);
    if (!result.pending) return done(status_for(result.outcome));
    if (connection == 0) return;
    publishing_.emplace(token,
                        Publishing{connection, std::move(done), publishes_.take(connection)});
}

void HubServices::ask_device(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, connection, body] = *call;
    if (!inbox_) return say(client, "503");
    Order order;
    const std::string_view fault = read_order(body[0], body[1], body[2], order);
    if (!fault.empty()) return say(client, fault);
    auto place = round_trips_.take(connection);
    if (!place) return say(client, "503");
    const uint64_t number = next_++;
    const std::string name = write_tag(number);
    std::string properties = without_answer_address(order.meta.properties);
    ApplicationPropertiesWriter writer(properties);
    static_cast<void>(writer.response_topic(inbox_prefix_ + name));
    static_cast<void>(writer.correlation_data(name));
    order.message.properties = properties;
    order.message.retain = false;
    const uint32_t timeout_ms =
        std::min(order.meta.timeout_ms.value_or(limits_.timeout_ms), limits_.max_timeout_ms);
    const uint64_t due_ms = context_.home().now_ms() + timeout_ms;
    // It may answer before `publish` returns.
    if (connection != 0) {
        asked_.emplace(number, Asked{connection, client, due_ms, std::move(place)});
    }
    const auto result = publish_now(order, nullptr, 0);
    if (result.outcome == Outcome::no_subscriber && asked_.erase(number) != 0) {
        return say(client, "404");
    }
    need_timer_at(due_ms);
}

void HubServices::on_device_answer(std::string_view topic, const MessageView& message) {
    const std::string_view name = topic.substr(inbox_prefix_.size());
    const auto number = read_tag(name);
    const auto correlation = ApplicationProperties(message.properties).correlation_data();
    const bool is_answer = number && (!correlation || *correlation == name);
    const auto found = is_answer ? asked_.find(*number) : asked_.end();
    if (found == asked_.end()) return count_unheard();  // too late, a second one, or another's
    const ClientAddress client = std::move(found->second.client);
    asked_.erase(found);
    const std::string_view body[] = {"200", message.payload};
    finish(client, body);
}

// Without a time: the store does not know when it was taken.
std::string HubServices::meta_of(const MessageView& message) const {
    return write_meta({.message = message, .qos = message.qos, .now_ms = context_.home().now_ms()});
}

// Body: the filter and, to go on, what the answer before said.
void HubServices::read_retained(const std::shared_ptr<const ServiceCall>& call) {
    const auto& [client, connection, body] = *call;
    const bool is_good = (body.size() == 1 || body.size() == 2) && is_valid_topic_filter(body[0]) &&
                         is_valid_mqtt_utf8(body[0]) && !body[0].starts_with("$share/") &&
                         (body.size() == 1 || body[1].size() <= kMaxTopicBytes);
    if (!is_good) return say(client, "400");
    if (connection == 0) return;
    auto place = readers_.take(connection);
    if (!place) return say(client, "503");
    Walk walk;
    walk.call = call;
    walk.cursor.filter = body[0];
    if (body.size() == 2 && !body[1].empty()) {
        walk.cursor.after = body[1];
        walk.cursor.begun = true;
    }
    walk.due_ms = context_.home().now_ms() + limits_.timeout_ms;
    walk.place = std::move(place);
    walks_.push_back(std::move(walk));
    walk_soon();
}

void HubServices::walk_soon() {
    if (walks_.empty() || std::exchange(is_walk_due_, true)) return;
    context_.home().post([this, alive = std::weak_ptr(settled_)] {
        if (!alive.expired()) walk_on();
    });
}

// A portion for one of them: a look at the store takes its time, and others want to be served.
void HubServices::walk_on() {
    is_walk_due_ = false;
    if (walks_.empty()) return;
    Walk walk = std::move(walks_.front());
    walks_.pop_front();
    const bool is_page = walk.call->client.dialect == Dialect::mdp1;
    const Step step = is_page ? fill_page(walk) : send_portion(walk);
    if (step != Step::done && walk.due_ms <= context_.home().now_ms()) {
        say(walk.call->client, "408");
    } else if (step == Step::more) {
        walks_.push_back(std::move(walk));
    } else if (step == Step::stuck) {
        stuck_.push_back(std::move(walk));
        need_timer_at(context_.home().now_ms() + kRetryMs);
    }
    walk_soon();
}

// In 0.1 an answer is one message. What is found in time is told of in any case.
HubServices::Step HubServices::fill_page(Walk& walk) {
    const uint64_t now_ms = context_.home().now_ms();
    auto& [call, cursor, found, next, due_ms, place] = walk;
    context_.home().hub().hub().retained().collect(cursor, kPage - found.size(), now_ms, found);
    size_t bytes = 0;
    size_t fitting = 0;
    while (fitting < found.size() && bytes < kPageBytes) bytes += found[fitting++]->view().size();
    const bool is_full = fitting == kPage || bytes >= kPageBytes;
    if (!cursor.done && !is_full && now_ms < due_ms) return Step::more;
    if (fitting < found.size()) {
        found.resize(fitting);
        cursor.after = found.back()->view().topic;
        cursor.done = false;
    }
    answer_page(walk);
    return Step::done;
}

// Status, where to go on, and three frames for each.
void HubServices::answer_page(const Walk& walk) {
    const RetainedCursor& cursor = walk.cursor;
    std::vector<std::string> metas;
    metas.reserve(walk.batch.size());
    std::vector<std::string_view> body{cursor.done ? "200" : "206",
                                       cursor.done ? std::string_view() : cursor.after};
    for (const auto& message : walk.batch) {
        metas.push_back(meta_of(message->view()));
        body.insert(body.end(), {message->view().topic, metas.back(), message->view().payload});
    }
    finish(walk.call->client, body);
}

HubServices::Step HubServices::send_portion(Walk& walk) {
    auto& [call, cursor, batch, next, due_ms, place] = walk;
    if (next == batch.size() && !cursor.done) {
        batch.clear();
        next = 0;
        context_.home().hub().hub().retained().collect(cursor, kPortion, context_.home().now_ms(),
                                                       batch);
    }
    for (size_t bytes = 0; next < batch.size(); ++next) {
        if (bytes >= kPortionBytes) return Step::more;
        const MessageView& message = batch[next]->view();
        const std::string meta = meta_of(message);
        const std::string_view body[] = {message.topic, meta, message.payload};
        const auto result = answer_(call->client, false, body);
        if (result == Socket::Sent::gone) return Step::done;
        if (result == Socket::Sent::full) return Step::stuck;
        bytes += message.size();
    }
    if (!cursor.done) return Step::more;
    // Without it nobody knows that this was all: it waits for room as the parts did.
    constexpr std::string_view kAll = "200";
    const auto result = answer_(call->client, true, {&kAll, 1});
    if (result == Socket::Sent::full) return Step::stuck;
    if (result == Socket::Sent::gone) count_unheard();
    return Step::done;
}

void HubServices::on_timer() {
    const uint64_t now_ms = context_.home().now_ms();
    std::ranges::move(stuck_, std::back_inserter(walks_));
    stuck_.clear();
    walk_soon();
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
    if (asked_.empty()) return;
    uint64_t due_ms = TimerQueue::kNothing;
    for (const auto& [number, asked] : asked_) due_ms = std::min(due_ms, asked.due_ms);
    // Not too often: each time costs a look at all that wait.
    need_timer_at(std::max(due_ms, context_.home().now_ms() + kRetryMs));
}

void HubServices::need_timer_at(uint64_t due_ms) {
    if (!timer_.is_set() || due_ms < timer_.due_ms()) timer_.set(due_ms);
}

}  // namespace trestle::zmq
