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

bool SubscriptionIndex::add_shared(std::string_view filter, std::string_view name,
                                   SubscriberRef who, const SubscribeOptions& options,
                                   std::shared_ptr<MemberState> state) {
    auto& groups = at(filter).groups;
    changed(filter);
    if (!state) state = std::make_shared<MemberState>();
    if (state->number == 0) state->number = ++last_member_;
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
    const auto member = std::ranges::find(group->members, who, &SharedGroup::Member::who);
    const bool known = member != group->members.end();
    if (known) {
        member->options = options;
    } else {
        group->members.push_back({who, options, std::move(state)});
        count_.fetch_add(1, std::memory_order_relaxed);
        shared_.fetch_add(1, std::memory_order_relaxed);
    }
    *mine = std::move(group);
    return known;
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

bool SubscriptionIndex::remove_shared(std::string_view filter, std::string_view group,
                                      SubscriberRef who) {
    IndexedFilter* found = find(filter);
    if (found == nullptr) return false;
    auto& groups = found->groups;
    const auto mine = std::ranges::find_if(groups, [&](const auto& g) { return g->name == group; });
    if (mine == groups.end()) return false;
    const auto& members = (*mine)->members;
    const auto member = std::ranges::find(members, who, &SharedGroup::Member::who);
    if (member == members.end()) return false;
    if (members.size() == 1) {
        groups.erase(mine);
    } else {
        auto smaller = std::make_shared<SharedGroup>(**mine);
        smaller->members.erase(smaller->members.begin() + (member - members.begin()));
        *mine = std::move(smaller);
    }
    count_.fetch_sub(1, std::memory_order_relaxed);
    shared_.fetch_sub(1, std::memory_order_relaxed);
    changed(filter);
    prune(filter);
    return true;
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
