// The hub's part of shared subscriptions: each message to one member, on whatever shard it lives.
#include <algorithm>
#include <optional>

#include "core/hub.h"

namespace trestle {

namespace {

// It is probably at `guess`.
std::optional<MatchResult::Shared> group_of(const MatchResult& found, uint32_t number,
                                            size_t guess = 0) {
    if (guess < found.shared.size() && found.shared[guess]->number == number) {
        return found.shared_at(guess);
    }
    const auto group = std::ranges::find_if(
        found.shared, [&](const SharedGroupPtr& one) { return one->number == number; });
    if (group == found.shared.end()) return {};
    return found.shared_at(static_cast<size_t>(group - found.shared.begin()));
}

void give_here(const SharedGroup& group, const SharedGroup::Client& client, Delivery& delivery) {
    SubscriptionMatch match;
    match.options = client.options;
    match.shared_group = group.number;
    if (client.options.subscription_id != 0) {
        match.subscription_ids.push_back(client.options.subscription_id);
    }
    client.who.subscriber->deliver(delivery, match);
}

}  // namespace

// Whether there was a member that it could go to.
bool HubShard::deliver_shared(const MatchResult& found, Delivery& delivery) {
    bool any = false;
    for (size_t i = 0; i < found.shared.size(); ++i) {
        any |= give_to_next(found.shared_at(i), delivery);
    }
    return any;
}

bool HubShard::give_to_next(const MatchResult::Shared& shared, Delivery& delivery) {
    const size_t place = shared.group.choose(shared.routes, delivery.message().origin);
    if (place == SharedGroup::kNobody) return false;
    give_to(shared, place, delivery, false);
    return true;
}

void HubShard::give_to(const MatchResult::Shared& shared, size_t place, Delivery& delivery,
                       bool final) {
    const SharedGroup& group = shared.group;
    if (place >= group.clients.size()) return give_to_route(shared, place, delivery);
    const auto& client = group.clients[place];
    if (client.who.shard == index_) return give_here(group, client, delivery);
    const SharedTarget target{client.state->number, group.number, static_cast<uint32_t>(place),
                              static_cast<uint32_t>(shared.place), final};
    hand_over(client.who.shard, delivery, &target);
}

// A worker may have got enough to do in this moment: then the job is another member's who is ready,
// and only if there is none it waits in the route's queue.
void HubShard::give_to_route(const MatchResult::Shared& shared, size_t place, Delivery& delivery) {
    // Routes look ready while their endpoint has any worker: past all of them is a client, if any
    // is ready.
    constexpr size_t kMostTries = 64;
    const size_t most_tries = std::min(shared.routes.size() + 1, kMostTries);
    const SharedGroup& group = shared.group;
    const auto key_of = [&](size_t of) -> const std::string& {
        return std::ranges::find(shared.routes, of, &RoutedMember::place)->key;
    };
    const bool may_go = delivery.message().hops < Hub::kMostHops;
    for (size_t tries = 0; may_go && tries < most_tries; ++tries) {
        if (group.route_at(place) == nullptr || !group.is_ready(place)) break;
        const RoutePtr& route = group.routes[place - group.clients.size()];
        if (route->sink()->offer(index_, route, key_of(place), delivery)) {
            route->ledger().matched->add(index_);
            return;
        }
        const size_t other = group.choose(shared.routes, delivery.message().origin);
        if (!group.is_ready(other)) break;
        place = other;
    }
    if (group.route_at(place) == nullptr) return give_to(shared, place, delivery, false);
    hand_to_route(group.routes[place - group.clients.size()], key_of(place), delivery);
}

// While the message was on its way the member may have left or moved, or have got enough to do from
// others: then it is the next one's, once.
void HubShard::deliver_targeted(const MatchResult& found, const SharedTarget& target,
                                Delivery& delivery) {
    const auto shared = group_of(found, target.group, target.group_place);
    if (!shared) {
        if (hub_.counters_.shared_lost != nullptr) hub_.counters_.shared_lost->add(index_);
        return;
    }
    const SharedGroup& group = shared->group;
    const auto* client = group.client_at(target.place, target.member);
    if (client == nullptr || client->who.shard != index_) {
        give_to_next(*shared, delivery);
        return;
    }
    if (!target.final && !group.is_ready(target.place)) {
        const size_t other = group.choose(shared->routes, delivery.message().origin);
        if (group.is_ready(other)) return give_to(*shared, other, delivery, true);
    }
    give_here(group, *client, delivery);
}

bool HubShard::pass_on(uint32_t group_number, const MessagePtr& message) {
    static const Publisher kNobody;
    MatchPtr memo;
    MatchPtr large;
    const MatchResult& found = match(message->view().topic, memo, large);
    const auto shared = group_of(found, group_number);
    if (!shared) return false;
    Delivery delivery(message, kNobody, executor_);
    return give_to_next(*shared, delivery);
}

}  // namespace trestle
