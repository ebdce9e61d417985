#include "core/hub.h"

#include <algorithm>
#include <utility>

#include "core/session_table.h"
#include "core/topic.h"

namespace trestle {

namespace {

constexpr size_t kPlacesPerUnit = 4;
constexpr size_t kUnitsOfSubscribing = 30;
constexpr size_t kUnitsOfUnsubscribing = 10;

}  // namespace

HubShard::HubShard(Hub& hub, ShardIndex index, Executor& executor, TimerQueue& timers,
                   Carrier& carrier)
    : hub_(hub),
      index_(index),
      executor_(executor),
      timers_(timers),
      retained_turns_(executor),
      session_bytes_(hub.session_bytes().share(index)),
      sessions_(std::make_unique<SessionTable>(*this)),
      carrier_(carrier),
      outgoing_(hub.shards()) {}

HubShard::~HubShard() = default;

MatchResult& HubShard::match(std::string_view topic, MatchPtr& memo, MatchPtr& large) {
    auto& index = hub_.index_;
    if (memo && memo->valid_for(topic, index)) return *memo;
    const uint64_t hash = SubscriptionIndex::hash_of(topic);
    MatchPtr result = cache_.find(hash);
    if (!result || !result->valid_for(topic, index)) {
        const IndexLock::Reader guard(hub_.lock_, index_);
        result = make_match(topic, hash, index, hub_.routes_, index_);
        for (const auto& tap : hub_.taps_) {
            if (!filter_matches(tap->filter(), topic)) continue;
            if (!result->taps) result->taps = std::make_unique<std::vector<TapPtr>>();
            result->taps->push_back(tap);
        }
        cache_.put(result);
        work_ += result->places / kPlacesPerUnit;
    }
    MatchPtr& keeper = result->bytes <= MatchCache::kMostKept ? memo : large;
    keeper = std::move(result);
    return *keeper;
}

PublishResult HubShard::publish(const MessageView& message, Publisher& from,
                                const std::weak_ptr<AckReceiver>* waiter, uint64_t token) {
    Delivery delivery(message, from, executor_, waiter, token);
    // Before matching: whoever subscribes meanwhile finds it here or is found by the match.
    if (message.retain) [[unlikely]]
        keep_retained(delivery);
    MatchPtr large;
    MatchResult& found = match(message.topic, from.last_match, large);
    if (found.taps) [[unlikely]] {
        for (const auto& tap : *found.taps) tap->pass(index_, now_ms_, message, from);
    }
    work_ += found.local.size() + found.shared.size();
    bool reaches_any = found.other_shards != 0;
    if (!found.local.empty()) reaches_any |= deliver_local(found, delivery);
    if (!found.routes.empty()) reaches_any |= offer_routes(found, delivery);
    if (!found.shared.empty()) reaches_any |= deliver_shared(found, delivery);
    for (uint64_t rest = found.other_shards; rest != 0; rest &= rest - 1) {
        hand_over(static_cast<ShardIndex>(__builtin_ctzll(rest)), delivery, nullptr);
    }
    if (!reaches_any) return {std::max(Outcome::no_subscriber, delivery.outcome_), false};
    if (delivery.pending_) {
        delivery.own_share_.settle(delivery.outcome_);
        return {Outcome::accepted, true};
    }
    return {delivery.outcome_, false};
}

void HubShard::keep_retained(Delivery& delivery) {
    const auto publisher = publisher_hash(delivery.from().client_id);
    if (hub_.retained_->keep(delivery.keep(), publisher) != RetainedStore::Kept::full) return;
    delivery.worsen(Outcome::not_retained);
    if (hub_.counters_.retained_refused != nullptr) hub_.counters_.retained_refused->add(index_);
}

// Whether there was anybody but the publisher itself, who does not want its own (No Local).
bool HubShard::deliver_local(MatchResult& found, Delivery& delivery) {
    const Subscriber* self = delivery.from().self;
    size_t without = 0;
    if (found.local.size() > 1) {
        forms_.begin();
        delivery.forms_ = &forms_;
    }
    for (auto& local : found.local) {
        if (local.some_no_local && local.subscriber == self) {
            SubscriptionMatch rest;
            bool any = false;
            {
                const IndexLock::Reader guard(hub_.lock_, index_);
                any = match_without_no_local(found.topic(), hub_.index_, self, rest);
            }
            if (any) {
                local.subscriber->deliver(delivery, rest);
            } else {
                ++without;
            }
            continue;
        }
        local.subscriber->deliver(delivery, local.match);
    }
    delivery.forms_ = nullptr;  // the next message's forms take their place
    return found.local.size() > without;
}

// Whether there was one that it could go to.
bool HubShard::offer_routes(const MatchResult& found, Delivery& delivery) {
    bool any = false;
    for (const auto& [route, key] : found.routes) {
        // Never back to where it came from.
        if (route->to() == delivery.message().origin) continue;
        hand_to_route(route, key, delivery);
        any = true;
    }
    return any;
}

void HubShard::hand_to_route(const RoutePtr& route, const std::string& key, Delivery& delivery) {
    route->ledger().matched->add(index_);
    if (delivery.message().hops >= Hub::kMostHops) {
        route->ledger().drop(index_, DropReason::hops);
    } else {
        route->sink()->accept(index_, route, key, delivery);
    }
}

void HubShard::hand_over(ShardIndex shard, const Delivery& delivery, const SharedTarget* to) {
    if (!std::exchange(outgoing_any_, true)) carrier_.carry_soon();
    HandOver& outgoing = outgoing_[shard];
    outgoing.put(delivery.message(), to);
    if (outgoing.size() >= kCarryAt) carrier_.carry(shard);
}

void HubShard::take_over(const HandOver& incoming) {
    Publisher from;  // no self: a publisher's own session is on its own shard
    HandOver::Reader reader(incoming);
    while (reader.next()) {
        const MessageView& message = reader.message();
        from.endpoint = message.origin;
        MatchPtr large;
        MatchResult& found = match(message.topic, from.last_match, large);
        Delivery delivery(message, from, executor_, nullptr, 0);
        if (const SharedTarget* target = reader.target()) {
            deliver_targeted(found, *target, delivery);
        } else {
            deliver_local(found, delivery);
        }
    }
}

bool HubShard::subscribe(Subscriber& subscriber, std::string_view filter,
                         const SubscribeOptions& options) {
    work_ += kUnitsOfSubscribing;
    const IndexLock::Writer guard(hub_.lock_);
    return hub_.index_.add(filter, {&subscriber, index_}, options);
}

bool HubShard::subscribe_shared(Subscriber& subscriber, std::string_view group,
                                std::string_view filter, const SubscribeOptions& options,
                                std::shared_ptr<MemberState> state) {
    work_ += kUnitsOfSubscribing;
    const IndexLock::Writer guard(hub_.lock_);
    return hub_.index_.add_shared(filter, group, {&subscriber, index_}, options, std::move(state));
}

bool HubShard::unsubscribe(Subscriber& subscriber, std::string_view filter) {
    work_ += kUnitsOfUnsubscribing;
    const IndexLock::Writer guard(hub_.lock_);
    return hub_.index_.remove(filter, {&subscriber, index_});
}

bool HubShard::unsubscribe_shared(Subscriber& subscriber, std::string_view group,
                                  std::string_view filter) {
    work_ += kUnitsOfUnsubscribing;
    const IndexLock::Writer guard(hub_.lock_);
    return hub_.index_.remove_shared(filter, group, {&subscriber, index_});
}

void Hub::add_route(size_t number) {
    const RoutePtr& route = routes_[number];
    const std::string filter = route->mapping().mqtt_filter();
    const std::string& group = route->options().share;
    if (group.empty()) {
        index_.add_route(filter, static_cast<RouteNumber>(number));
    } else {
        index_.add_shared_route(filter, group, route);
    }
}

void Hub::remove_route(size_t number) {
    const RoutePtr& route = routes_[number];
    const std::string filter = route->mapping().mqtt_filter();
    index_.remove_route(filter, static_cast<RouteNumber>(number));
    index_.remove_shared_route(filter, route->options().share, route);
}

void Hub::set_routes(std::vector<RoutePtr> routes) {
    const IndexLock::Writer guard(lock_);
    for (size_t number = 0; number < routes_.size(); ++number) {
        if (routes_[number]) remove_route(number);
    }
    routes_ = std::move(routes);
    for (size_t number = 0; number < routes_.size(); ++number) {
        if (routes_[number] && routes_[number]->to() != 0) add_route(number);
    }
}

void Hub::add_tap(TapPtr tap) {
    const IndexLock::Writer guard(lock_);
    taps_.push_back(std::move(tap));
    index_.touch();
}

void Hub::remove_tap(const Tap& tap) {
    const IndexLock::Writer guard(lock_);
    std::erase_if(taps_, [&](const TapPtr& other) { return other.get() == &tap; });
    index_.touch();
}

}  // namespace trestle
