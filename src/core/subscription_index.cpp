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
    IndexedFilter& here = at(filter);
    changed(filter);
    auto& entries = here.entries;
    const auto who_at = [&](size_t place) { return entries[place].who; };
    const size_t mine = here.subscribers.find(who, entries.size(), who_at);
    if (mine != kNowhere) {
        entries[mine].options = options;
        return true;
    }
    entries.push_back({who, options});
    here.subscribers.added(entries.size(), who_at);
    count_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

bool SubscriptionIndex::remove(std::string_view filter, SubscriberRef who) {
    IndexedFilter* here = find(filter);
    if (here == nullptr) return false;
    auto& entries = here->entries;
    const auto who_at = [&](size_t place) { return entries[place].who; };
    const size_t mine = here->subscribers.find(who, entries.size(), who_at);
    if (mine == kNowhere) return false;
    here->subscribers.removing(mine, entries.size(), who_at);
    entries[mine] = entries.back();
    entries.pop_back();
    if (entries.empty()) entries.shrink_to_fit();
    count_.fetch_sub(1, std::memory_order_relaxed);
    changed(filter);
    prune(filter);
    return true;
}

namespace {

using Group = IndexedFilter::Group;

auto names_in(const std::vector<Group>& groups) {
    return [&](size_t place) -> std::string_view { return groups[place].group->lasting->name; };
}

auto clients_in(const Group& group) {
    return [&](size_t place) { return group.group->clients[place].who; };
}

Group* find_group(IndexedFilter& here, std::string_view name) {
    auto& groups = here.groups;
    const size_t place = here.names_of_groups.find(name, groups.size(), names_in(groups));
    return place == kNowhere ? nullptr : &groups[place];
}

}  // namespace

IndexedFilter::Group& SubscriptionIndex::group_at(std::string_view filter, std::string_view name) {
    IndexedFilter& here = at(filter);
    if (Group* found = find_group(here, name)) return *found;
    auto made = std::make_shared<SharedGroup>();
    made->lasting = std::make_shared<SharedGroup::Lasting>();
    made->lasting->name = name;
    made->number = ++last_group_;
    here.groups.push_back({std::move(made), {}});
    here.names_of_groups.added(here.groups.size(), names_in(here.groups));
    return here.groups.back();
}

bool SubscriptionIndex::add_shared(std::string_view filter, std::string_view name,
                                   SubscriberRef who, const SubscribeOptions& options,
                                   std::shared_ptr<MemberState> state) {
    Group& group = group_at(filter, name);
    changed(filter);
    auto next = std::make_shared<SharedGroup>(*group.group);
    auto& clients = next->clients;
    const size_t mine = group.clients.find(who, clients.size(), clients_in(group));
    if (mine != kNowhere) {
        SharedGroup::Client client = clients[mine];
        client.options = options;
        clients.set(mine, std::move(client));
        group.group = std::move(next);
        return true;
    }
    if (!state) state = std::make_shared<MemberState>();
    if (state->number == 0) state->number = ++last_member_;
    clients.push_back({who, options, std::move(state)});
    group.group = std::move(next);
    group.clients.added(group.group->clients.size(), clients_in(group));
    count_.fetch_add(1, std::memory_order_relaxed);
    shared_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

bool SubscriptionIndex::remove_shared(std::string_view filter, std::string_view name,
                                      SubscriberRef who) {
    IndexedFilter* here = find(filter);
    Group* group = here != nullptr ? find_group(*here, name) : nullptr;
    if (group == nullptr) return false;
    auto next = std::make_shared<SharedGroup>(*group->group);
    auto& clients = next->clients;
    const size_t mine = group->clients.find(who, clients.size(), clients_in(*group));
    if (mine == kNowhere) return false;
    group->clients.removing(mine, clients.size(), clients_in(*group));
    const size_t last = clients.size() - 1;
    if (mine != last) clients.set(mine, SharedGroup::Client(clients[last]));
    clients.pop_back();
    count_.fetch_sub(1, std::memory_order_relaxed);
    shared_.fetch_sub(1, std::memory_order_relaxed);
    put_smaller(filter, *here, *group, std::move(next));
    return true;
}

void SubscriptionIndex::add_shared_route(std::string_view filter, std::string_view name,
                                         const RoutePtr& route) {
    Group& group = group_at(filter, name);
    changed(filter);
    auto next = std::make_shared<SharedGroup>(*group.group);
    next->routes.push_back(route);
    group.group = std::move(next);
}

void SubscriptionIndex::remove_shared_route(std::string_view filter, std::string_view name,
                                            const RoutePtr& route) {
    IndexedFilter* here = find(filter);
    Group* group = here != nullptr ? find_group(*here, name) : nullptr;
    if (group == nullptr) return;
    auto next = std::make_shared<SharedGroup>(*group->group);
    if (std::erase(next->routes, route) == 0) return;
    put_smaller(filter, *here, *group, std::move(next));
}

// The group goes with its last member.
void SubscriptionIndex::put_smaller(std::string_view filter, IndexedFilter& here, Group& group,
                                    SharedGroupPtr next) {
    if (next->size() != 0) {
        group.group = std::move(next);
    } else {
        auto& groups = here.groups;
        const auto place = static_cast<size_t>(&group - groups.data());
        here.names_of_groups.removing(place, groups.size(), names_in(groups));
        if (&group != &groups.back()) group = std::move(groups.back());
        groups.pop_back();
    }
    changed(filter);
    prune(filter);
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

size_t SubscriptionIndex::match(std::string_view topic, uint64_t hash,
                                const FilterVisit& visit) const {
    exact_.prefetch(hash);
    const size_t places = tree_.match(topic, visit);
    if (Exact* exact = find_exact(topic, hash)) visit(*exact);
    return places;
}

}  // namespace trestle
