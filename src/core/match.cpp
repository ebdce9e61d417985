#include "core/match.h"

#include <algorithm>
#include <unordered_map>

namespace trestle {

namespace {

void merge(SubscriptionMatch& into, const SubscribeOptions& one) {
    into.options.qos = std::max(into.options.qos, one.qos);
    into.options.retain_as_published |= one.retain_as_published;
    if (one.subscription_id != 0) into.subscription_ids.push_back(one.subscription_id);
}

struct Builder {
    MatchResult& result;
    const RouteTable& routes;
    ShardIndex shard;

    static void visit(void* context, IndexedFilter& filter) {
        static_cast<Builder*>(context)->add(filter);
    }

    void add(const IndexedFilter& filter) {
        // A filter names each subscriber once: only other filters can have named it before.
        const size_t before = result.local.size();
        if (filter.entries.size() > 1) result.local.reserve(before + filter.entries.size());
        for (const auto& entry : filter.entries) {
            if (entry.who.shard != shard) {
                result.other_shards |= uint64_t{1} << entry.who.shard;
                continue;
            }
            auto* local = find(entry.who.subscriber, before);
            if (local == nullptr) {
                local =
                    &result.local.emplace_back(MatchResult::Local{entry.who.subscriber, false, {}});
            }
            local->some_no_local |= entry.options.no_local;
            merge(local->match, entry.options);
        }
        for (const auto& one : filter.groups) add_group(one.group);
        for (const auto number : filter.routes) add_route(number);
    }

    // Among the first `count`.
    MatchResult::Local* find(const Subscriber* subscriber, size_t count) {
        if (count > kFew) return find_in_many(subscriber, count);
        for (size_t i = 0; i < count; ++i) {
            if (result.local[i].subscriber == subscriber) return &result.local[i];
        }
        return nullptr;
    }
    MatchResult::Local* find_in_many(const Subscriber* subscriber, size_t count) {
        for (; indexed_ < count; ++indexed_) {
            places_.emplace(result.local[indexed_].subscriber, indexed_);
        }
        const auto found = places_.find(subscriber);
        return found == places_.end() ? nullptr : &result.local[found->second];
    }

    void add_group(const SharedGroupPtr& group) {
        std::vector<RoutedMember> routed;
        for (size_t place = group->clients.size(); place < group->size(); ++place) {
            std::string key;
            if (group->route_at(place)->key_for(result.topic(), key)) {
                routed.push_back({place, std::move(key)});
            }
        }
        if (group->clients.empty() && routed.empty()) return;
        result.shared.push_back(group);
        if (routed.empty()) return;
        result.shared_routes.resize(result.shared.size());
        result.shared_routes.back() = std::move(routed);
    }

    // Of several routes to one endpoint the more specific one delivers; the earlier one on a tie.
    void add_route(RouteNumber number) {
        const RoutePtr& route = number < routes.size() ? routes[number] : kNoRoute;
        std::string key;
        if (!route || !route->key_for(result.topic(), key)) return;
        for (auto& other : result.routes) {
            if (other.route->to() != route->to()) continue;
            const auto order = route->mapping().compare_specificity(other.route->mapping());
            if (order > 0 || (order == 0 && earlier(route, other.route))) {
                other = {route, std::move(key)};
            }
            return;
        }
        result.routes.push_back({route, std::move(key)});
    }

    [[nodiscard]] bool earlier(const RoutePtr& a, const RoutePtr& b) const {
        return std::ranges::find(routes, a) < std::ranges::find(routes, b);
    }

    inline static const RoutePtr kNoRoute;
    static constexpr size_t kFew = 16;
    std::unordered_map<const Subscriber*, size_t> places_;  // in result.local, when they are many
    size_t indexed_ = 0;
};

uint32_t bytes_of(const MatchResult& result) {
    size_t bytes = sizeof result + result.topic().size() +
                   result.local.capacity() * sizeof(MatchResult::Local) +
                   result.routes.capacity() * sizeof(MatchResult::Routed) +
                   result.shared.capacity() * sizeof(SharedGroupPtr);
    for (const auto& local : result.local) {
        bytes += local.match.subscription_ids.capacity() * sizeof(uint32_t);
    }
    for (const auto& routed : result.routes) bytes += routed.key.capacity();
    for (const auto& routed : result.shared_routes) {
        for (const auto& one : routed) bytes += sizeof one + one.key.capacity();
    }
    return static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX));
}

}  // namespace

const MatchPtr& MatchCache::find(uint64_t hash) const {
    static const MatchPtr kNone;
    const Set& set = sets_[place(hash)];
    for (size_t way = 0; way < kWays; ++way) {
        if (set.hashes[way] == hash) return set.results[way];
    }
    return kNone;
}

// In the place of its own topic, or in a free one.
bool MatchCache::put_if_room(MatchPtr& result) {
    Set& set = sets_[place(result->hash)];
    for (const bool fresh : {false, true}) {
        for (size_t way = 0; way < kWays; ++way) {
            auto& there = set.results[way];
            if (fresh ? there != nullptr : set.hashes[way] != result->hash) continue;
            if (there) bytes_ -= there->bytes;
            bytes_ += result->bytes;
            set.hashes[way] = result->hash;
            there = std::move(result);
            return true;
        }
    }
    return false;
}

void MatchCache::put(MatchPtr result) {
    if (bytes_ + result->bytes > kMostBytes) clear();
    while (!put_if_room(result)) {
        if (sets_.size() < kMostSets) {
            grow();
            continue;
        }
        auto& victim = sets_[place(result->hash)].results[turn_++ % kWays];
        bytes_ -= victim->bytes;
        victim = nullptr;
    }
}

void MatchCache::grow() {
    std::vector<Set> former(sets_.size() * 2);
    former.swap(sets_);
    bytes_ = 0;
    for (auto& set : former) {
        for (auto& result : set.results) {
            if (result) put_if_room(result);  // what finds no room goes
        }
    }
}

void MatchCache::clear() {
    for (auto& set : sets_) set = Set();
    bytes_ = 0;
}

MatchPtr make_match(std::string_view topic, uint64_t hash, const SubscriptionIndex& index,
                    const RouteTable& routes, ShardIndex shard) {
    MatchPtr result(MatchBlock::make(topic));
    result->hash = hash;
    result->generation = index.generation(SubscriptionIndex::bucket_of(hash));
    Builder builder{*result, routes, shard, {}};
    result->places = static_cast<uint32_t>(index.match(topic, hash, {&Builder::visit, &builder}));
    result->bytes = bytes_of(*result);
    return result;
}

bool match_without_no_local(std::string_view topic, const SubscriptionIndex& index,
                            const Subscriber* self, SubscriptionMatch& out) {
    struct Context {
        const Subscriber* self;
        SubscriptionMatch& out;
        bool any = false;
    } context{self, out};
    index.match(topic, SubscriptionIndex::hash_of(topic),
                {[](void* opaque, IndexedFilter& filter) {
                     auto& c = *static_cast<Context*>(opaque);
                     for (const auto& entry : filter.entries) {
                         if (entry.who.subscriber != c.self || entry.options.no_local) continue;
                         merge(c.out, entry.options);
                         c.any = true;
                     }
                 },
                 &context});
    return context.any;
}

}  // namespace trestle
