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

    static void visit(void* context, SubscriptionIndex::Filter& filter) {
        static_cast<Builder*>(context)->add(filter);
    }

    void add(const SubscriptionIndex::Filter& filter) {
        for (const auto& entry : filter.entries) {
            if (entry.who.shard == shard) {
                add_local(entry);
            } else {
                result.other_shards |= uint64_t{1} << entry.who.shard;
            }
        }
        for (const auto& group : filter.groups) result.shared.push_back(group);
        for (const auto number : filter.routes) add_route(number);
    }

    void add_local(const SubscriptionIndex::Entry& entry) {
        const auto [at, fresh] = seen_.emplace(entry.who.subscriber, result.local.size());
        if (fresh) result.local.push_back({entry.who.subscriber, false, {}});
        auto& local = result.local[at->second];
        local.some_no_local |= entry.options.no_local;
        merge(local.match, entry.options);
    }

    // Of several routes to one endpoint the more specific one delivers; the earlier one on a tie.
    void add_route(SubscriptionIndex::RouteNumber number) {
        const RoutePtr& route = number < routes.size() ? routes[number] : kNoRoute;
        std::string key;
        if (!route || !route->key_for(result.topic, key)) return;
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
    std::unordered_map<const Subscriber*, size_t> seen_;  // its place in result.local
};

size_t bytes_of(const MatchResult& result) {
    size_t bytes = sizeof result + result.topic.capacity() +
                   result.local.capacity() * sizeof(MatchResult::Local) +
                   result.routes.capacity() * sizeof(MatchResult::Routed) +
                   result.shared.capacity() * sizeof(SharedGroupPtr);
    for (const auto& local : result.local) {
        bytes += local.match.subscription_ids.capacity() * sizeof(uint32_t);
    }
    for (const auto& routed : result.routes) bytes += routed.key.capacity();
    return bytes;
}

}  // namespace

void MatchCache::put(size_t hash, MatchPtr result) {
    MatchPtr& slot = slots_[hash % kSlots];
    if (slot) bytes_ -= slot->bytes;
    slot = nullptr;
    if (bytes_ + result->bytes > kMostBytes) {
        for (auto& other : slots_) other = nullptr;
        bytes_ = 0;
    }
    bytes_ += result->bytes;
    slot = std::move(result);
}

MatchPtr make_match(std::string_view topic, const SubscriptionIndex& index,
                    const RouteTable& routes, ShardIndex shard) {
    MatchPtr result(new MatchResult);
    result->topic = topic;
    result->bucket = SubscriptionIndex::bucket_of(topic);
    result->generation = index.generation(result->bucket);
    Builder builder{*result, routes, shard, {}};
    index.match(topic, &Builder::visit, &builder);
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
    index.match(
        topic,
        [](void* opaque, SubscriptionIndex::Filter& filter) {
            auto& c = *static_cast<Context*>(opaque);
            for (const auto& entry : filter.entries) {
                if (entry.who.subscriber != c.self || entry.options.no_local) continue;
                merge(c.out, entry.options);
                c.any = true;
            }
        },
        &context);
    return context.any;
}

}  // namespace trestle
