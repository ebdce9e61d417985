#include "core/subscription_index.h"

#include <algorithm>

namespace trestle {

namespace {

bool has_wildcard(std::string_view filter) {
    return filter.find_first_of("+#") != std::string_view::npos;
}

}  // namespace

SubscriptionIndex::SubscriptionIndex() = default;
SubscriptionIndex::~SubscriptionIndex() {
    exact_.for_each([](Exact* exact) { Exact::destroy(exact); });
}

SubscriptionIndex::Exact* SubscriptionIndex::find_exact(std::string_view filter,
                                                        uint64_t hash) const {
    return exact_.find(hash, [&](const Exact& exact) { return exact.text() == filter; });
}

IndexedFilter& SubscriptionIndex::at(std::string_view filter) {
    if (has_wildcard(filter)) return tree_.at(filter);
    const uint64_t hash = hash_of(filter);
    Exact* exact = find_exact(filter, hash);
    if (exact == nullptr) {
        exact = Exact::make(filter);
        exact_.insert(hash, exact);
    }
    return *exact;
}

IndexedFilter* SubscriptionIndex::find(std::string_view filter) const {
    return has_wildcard(filter) ? tree_.find(filter) : find_exact(filter, hash_of(filter));
}

void SubscriptionIndex::changed(std::string_view filter) {
    auto& generation =
        has_wildcard(filter) ? wildcard_generation_ : exact_generation_[bucket_of(hash_of(filter))];
    generation.fetch_add(1, std::memory_order_release);
}

void SubscriptionIndex::prune(std::string_view filter) {
    if (has_wildcard(filter)) return tree_.prune(filter);
    const uint64_t hash = hash_of(filter);
    Exact* exact = find_exact(filter, hash);
    if (exact == nullptr || !exact->empty()) return;
    exact_.erase(hash, exact);
    Exact::destroy(exact);
}

bool SubscriptionIndex::add(std::string_view filter, SubscriberRef who,
                            const SubscribeOptions& options) {
    auto& entries = at(filter).entries;
    changed(filter);
    const auto mine = std::ranges::find(entries, who, &IndexedFilter::Entry::who);
    if (mine != entries.end()) {
        mine->options = options;
        return true;
    }
    entries.push_back({who, options});
    count_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

namespace {

SharedGroup::Member client_member(SubscriberRef who) { return {who, {}, nullptr, nullptr}; }

auto place_of(std::vector<SharedGroup::Member>& members, const SharedGroup::Member& member) {
    return std::ranges::find_if(members, [&](const SharedGroup::Member& one) {
        return one.who == member.who && one.route == member.route;
    });
}

}  // namespace

bool SubscriptionIndex::join(std::string_view filter, std::string_view name,
                             SharedGroup::Member member) {
    auto& groups = at(filter).groups;
    changed(filter);
    if (!member.state) member.state = std::make_shared<MemberState>();
    if (member.state->number == 0) member.state->number = ++last_member_;
    auto mine = std::ranges::find_if(groups, [&](const auto& g) { return g->name == name; });
    auto group = std::make_shared<SharedGroup>();
    if (mine != groups.end()) {
        *group = **mine;
    } else {
        group->name = name;
        group->number = ++last_group_;
        groups.emplace_back();
        mine = groups.end() - 1;
    }
    const auto place = place_of(group->members, member);
    const bool known = place != group->members.end();
    if (known) {
        place->options = member.options;
    } else {
        if (member.route) ++group->routes;
        group->members.push_back(std::move(member));
    }
    *mine = std::move(group);
    return known;
}

bool SubscriptionIndex::add_shared(std::string_view filter, std::string_view name,
                                   SubscriberRef who, const SubscribeOptions& options,
                                   std::shared_ptr<MemberState> state) {
    SharedGroup::Member member = client_member(who);
    member.options = options;
    member.state = std::move(state);
    const bool known = join(filter, name, std::move(member));
    if (known) return true;
    count_.fetch_add(1, std::memory_order_relaxed);
    shared_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

void SubscriptionIndex::add_shared_route(std::string_view filter, std::string_view name,
                                         const RoutePtr& route) {
    join(filter, name, {{}, {}, route->member(), route});
}

bool SubscriptionIndex::remove(std::string_view filter, SubscriberRef who) {
    IndexedFilter* found = find(filter);
    if (found == nullptr) return false;
    auto& entries = found->entries;
    const auto mine = std::ranges::find(entries, who, &IndexedFilter::Entry::who);
    if (mine == entries.end()) return false;
    *mine = entries.back();
    entries.pop_back();
    if (entries.empty()) entries.shrink_to_fit();
    count_.fetch_sub(1, std::memory_order_relaxed);
    changed(filter);
    prune(filter);
    return true;
}

bool SubscriptionIndex::leave(std::string_view filter, std::string_view group,
                              const SharedGroup::Member& member) {
    IndexedFilter* found = find(filter);
    if (found == nullptr) return false;
    auto& groups = found->groups;
    const auto mine = std::ranges::find_if(groups, [&](const auto& g) { return g->name == group; });
    if (mine == groups.end()) return false;
    auto smaller = std::make_shared<SharedGroup>(**mine);
    const auto place = place_of(smaller->members, member);
    if (place == smaller->members.end()) return false;
    if (place->route) --smaller->routes;
    smaller->members.erase(place);
    if (smaller->members.empty()) {
        groups.erase(mine);
    } else {
        *mine = std::move(smaller);
    }
    changed(filter);
    prune(filter);
    return true;
}

bool SubscriptionIndex::remove_shared(std::string_view filter, std::string_view group,
                                      SubscriberRef who) {
    if (!leave(filter, group, client_member(who))) return false;
    count_.fetch_sub(1, std::memory_order_relaxed);
    shared_.fetch_sub(1, std::memory_order_relaxed);
    return true;
}

void SubscriptionIndex::remove_shared_route(std::string_view filter, std::string_view group,
                                            const RoutePtr& route) {
    leave(filter, group, {{}, {}, nullptr, route});
}

void SubscriptionIndex::add_route(std::string_view filter, RouteNumber route) {
    at(filter).routes.push_back(route);
    changed(filter);
}

void SubscriptionIndex::remove_route(std::string_view filter, RouteNumber route) {
    IndexedFilter* found = find(filter);
    if (found == nullptr) return;
    std::erase(found->routes, route);
    changed(filter);
    prune(filter);
}

void SubscriptionIndex::match(std::string_view topic, uint64_t hash,
                              const FilterVisit& visit) const {
    exact_.prefetch(hash);
    tree_.match(topic, visit);
    if (Exact* exact = find_exact(topic, hash)) visit(*exact);
}

}  // namespace trestle
