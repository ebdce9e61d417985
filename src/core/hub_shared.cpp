// The hub's part of shared subscriptions: each message to one member, on whatever shard it lives.
#include <algorithm>

#include "core/hub.h"

namespace trestle {

namespace {

const SharedGroup* group_of(const MatchResult& found, uint32_t number) {
    const auto group = std::ranges::find_if(
        found.shared, [&](const SharedGroupPtr& one) { return one->number == number; });
    return group == found.shared.end() ? nullptr : group->get();
}

void give_here(const SharedGroup& group, const SharedGroup::Member& member, Delivery& delivery) {
    SubscriptionMatch match;
    match.options = member.options;
    match.shared_group = group.number;
    if (member.options.subscription_id != 0) {
        match.subscription_ids.push_back(member.options.subscription_id);
    }
    member.who.subscriber->deliver(delivery, match);
}

}  // namespace

void HubShard::deliver_shared(const MatchResult& found, Delivery& delivery) {
    for (const auto& group : found.shared) give_to_next(*group, delivery);
}

void HubShard::give_to_next(const SharedGroup& group, Delivery& delivery) {
    give_to(group, group.choose(), delivery, false);
}

void HubShard::give_to(const SharedGroup& group, size_t place, Delivery& delivery, bool final) {
    const auto& member = group.members[place];
    if (member.who.shard == index_) return give_here(group, member, delivery);
    put_outgoing(member.who.shard, delivery,
                 {member.state->number, group.number, static_cast<uint32_t>(place), final});
}

// While the message was on its way the member may have left, or have got enough to do from others:
// then it is the next one's, once.
void HubShard::deliver_targeted(const MatchResult& found, const Target& target,
                                Delivery& delivery) {
    const SharedGroup* group = group_of(found, target.group);
    if (group == nullptr) {
        if (hub_.counters_.shared_lost != nullptr) hub_.counters_.shared_lost->add(index_);
        return;
    }
    const auto* member = group->find(target.member, target.place);
    if (member == nullptr || member->who.shard != index_) return give_to_next(*group, delivery);
    if (!target.final && !member->is_ready()) {
        const size_t other = group->choose();
        if (group->members[other].is_ready()) return give_to(*group, other, delivery, true);
    }
    give_here(*group, *member, delivery);
}

bool HubShard::pass_on(uint32_t group_number, const MessagePtr& message) {
    static const Publisher kNobody;
    MatchPtr memo;
    MatchPtr large;
    const MatchResult& found = match(message->view().topic, memo, large);
    const SharedGroup* group = group_of(found, group_number);
    if (group == nullptr) return false;
    Delivery delivery(message, kNobody, executor_);
    give_to_next(*group, delivery);
    return true;
}

}  // namespace trestle
