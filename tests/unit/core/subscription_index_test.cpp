// The index against `filter_matches`, its generations, and what it leaves behind.
#include "core/subscription_index.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <new>
#include <random>
#include <set>

#include "core/topic.h"

namespace {
std::atomic<int64_t> live_allocations{0};
}

// Counts what is alive, so that a test sees nodes which nobody can reach any more.
void* operator new(size_t size) {
    void* memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    live_allocations.fetch_add(1, std::memory_order_relaxed);
    return memory;
}
void operator delete(void* memory) noexcept {
    if (memory != nullptr) live_allocations.fetch_sub(1, std::memory_order_relaxed);
    std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void* operator new(size_t size, std::align_val_t alignment) {
    void* memory = nullptr;
    if (posix_memalign(&memory, static_cast<size_t>(alignment), size) != 0) throw std::bad_alloc();
    live_allocations.fetch_add(1, std::memory_order_relaxed);
    return memory;
}
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }

namespace trestle {
namespace {

SubscriberRef who(uintptr_t number, ShardIndex shard = 0) {
    return {reinterpret_cast<Subscriber*>(number * 64), shard};  // never called
}

struct Found {
    std::multiset<Subscriber*> subscribers;
    std::multiset<std::string> groups;
    std::multiset<uint32_t> routes;
    bool operator==(const Found&) const = default;
};

Found look_up(const SubscriptionIndex& index, std::string_view topic) {
    Found found;
    index.match(topic, SubscriptionIndex::hash_of(topic),
                {[](void* context, IndexedFilter& filter) {
                     auto& f = *static_cast<Found*>(context);
                     for (const auto& entry : filter.entries)
                         f.subscribers.insert(entry.who.subscriber);
                     for (const auto& one : filter.groups)
                         f.groups.insert(one.group->lasting->name);
                     for (const auto route : filter.routes) f.routes.insert(route);
                 },
                 &found});
    return found;
}

class Words {
 public:
    explicit Words(uint32_t seed) : random_(seed) {}
    size_t below(size_t n) { return random_() % n; }
    std::string topic() {
        for (;;) {
            std::string text = below(8) == 0 ? "$" : "";
            for (size_t n = 1 + below(4), i = 0; i < n; ++i) {
                if (i != 0) text += '/';
                text += level();
            }
            if (is_valid_topic_name(text)) return text;
        }
    }
    std::string filter() {
        for (;;) {
            std::string text = below(10) == 0 ? "$" : "";
            const size_t n = 1 + below(4);
            for (size_t i = 0; i < n; ++i) {
                if (i != 0) text += '/';
                const size_t kind = below(6);
                text += kind == 0 ? "+" : kind == 1 && i + 1 == n ? "#" : level();
            }
            if (is_valid_topic_filter(text)) return text;
        }
    }

 private:
    std::string level() {
        static const char* const kLevels[] = {"", "a", "b", "ab", "$", "$a", "c"};
        return kLevels[below(std::size(kLevels))];
    }
    std::mt19937 random_;
};

TEST(SubscriptionIndex, KnowsTheSpecialCases) {
    SubscriptionIndex index;
    uintptr_t number = 0;
    for (const auto* filter :
         {"#", "+", "+/+", "/+", "a/#", "a/+/#", "$SYS/#", "$SYS/+", "/", "a/", "+/#", "/#"}) {
        index.add(filter, who(++number), {});
    }
    const auto matches = [&](std::string_view topic) {
        std::set<uintptr_t> numbers;
        for (auto* one : look_up(index, topic).subscribers) {
            numbers.insert(reinterpret_cast<uintptr_t>(one) / 64);
        }
        return numbers;
    };
    using Numbers = std::set<uintptr_t>;
    EXPECT_EQ(matches("a"), (Numbers{1, 2, 5, 11}));
    EXPECT_EQ(matches("a/"), (Numbers{1, 3, 5, 6, 10, 11}));
    EXPECT_EQ(matches("/"), (Numbers{1, 3, 4, 9, 11, 12}));
    EXPECT_EQ(matches("/a"), (Numbers{1, 3, 4, 11, 12}));
    EXPECT_EQ(matches("$SYS"), (Numbers{7}));
    EXPECT_EQ(matches("$SYS/x"), (Numbers{7, 8}));
    EXPECT_EQ(matches("$other"), Numbers{});
}

TEST(SubscriptionIndex, AgreesWithFilterMatches) {
    for (uint32_t seed = 1; seed <= 40; ++seed) {
        Words words(seed);
        SubscriptionIndex index;
        // Plain, shared and route subscriptions by filter.
        std::map<std::string, std::set<uintptr_t>> plain;
        std::map<std::string, std::set<std::pair<std::string, uintptr_t>>> shared;
        std::map<std::string, std::set<uint32_t>> routes;
        size_t count = 0;
        for (int step = 0; step < 400; ++step) {
            const std::string filter = words.filter();
            const uintptr_t number = 1 + words.below(5);
            const std::string group = "g" + std::to_string(words.below(2));
            switch (words.below(7)) {
                case 0:
                case 1: {
                    const bool known = !plain[filter].insert(number).second;
                    ASSERT_EQ(index.add(filter, who(number), {}), known);
                    count += known ? 0 : 1;
                    break;
                }
                case 2: {
                    const bool known = plain[filter].erase(number) != 0;
                    ASSERT_EQ(index.remove(filter, who(number)), known);
                    count -= known ? 1 : 0;
                    break;
                }
                case 3: {
                    const bool known = !shared[filter].insert({group, number}).second;
                    ASSERT_EQ(index.add_shared(filter, group, who(number), {}), known);
                    count += known ? 0 : 1;
                    break;
                }
                case 4: {
                    const bool known = shared[filter].erase({group, number}) != 0;
                    ASSERT_EQ(index.remove_shared(filter, group, who(number)), known);
                    count -= known ? 1 : 0;
                    break;
                }
                case 5:
                    if (routes[filter].insert(static_cast<uint32_t>(number)).second) {
                        index.add_route(filter, static_cast<uint32_t>(number));
                    }
                    break;
                default:
                    routes[filter].erase(static_cast<uint32_t>(number));
                    index.remove_route(filter, static_cast<uint32_t>(number));
            }
            ASSERT_EQ(index.subscriptions(), count);
            const std::string topic = words.topic();
            Found wanted;
            for (const auto& [f, numbers] : plain) {
                if (!filter_matches(f, topic)) continue;
                for (const auto n : numbers) wanted.subscribers.insert(who(n).subscriber);
            }
            for (const auto& [f, members] : shared) {
                if (!filter_matches(f, topic)) continue;
                std::set<std::string> names;
                for (const auto& [name, member] : members) names.insert(name);
                wanted.groups.insert(names.begin(), names.end());
            }
            for (const auto& [f, numbers] : routes) {
                if (filter_matches(f, topic)) wanted.routes.insert(numbers.begin(), numbers.end());
            }
            ASSERT_EQ(look_up(index, topic), wanted) << "seed " << seed << ", topic " << topic;
        }
    }
}

TEST(SubscriptionIndex, ChurnLeavesNothingBehind) {
    SubscriptionIndex index;
    const auto churn = [&index] {
        Words words(5);
        std::vector<std::string> filters;
        for (int i = 0; i < 3000; ++i) {
            filters.push_back(words.filter());
        }
        for (const auto& filter : filters) {
            index.add(filter, who(1), {});
            index.add_shared(filter, "g", who(2), {});
            index.add_route(filter, 3);
        }
        for (const auto& filter : filters) {
            index.remove(filter, who(1));
            index.remove_shared(filter, "g", who(2));
            index.remove_route(filter, 3);
        }
    };
    churn();  // hash tables keep their largest size
    const int64_t before = live_allocations.load();
    for (int i = 0; i < 3; ++i) churn();
    EXPECT_EQ(live_allocations.load(), before);
    {
        SubscriptionIndex fresh;
        const int64_t empty = live_allocations.load();
        for (int i = 0; i < 1000; ++i) {
            const std::string filter = "deep/" + std::to_string(i) + "/+/x/y/z";
            fresh.add(filter, who(1), {});
            fresh.remove(filter, who(1));
        }
        EXPECT_LE(live_allocations.load(), empty + 2) << "at most the tables' own memory";
    }
    EXPECT_EQ(index.subscriptions(), 0u);
    EXPECT_EQ(look_up(index, "a/b"), Found{});
}

// Hundreds on one filter, in one of its groups, and groups on it: who is there is there once, with
// the options given last.
TEST(SubscriptionIndex, CrowdsComeAndGoLikeInAModel) {
    using Model = std::map<std::pair<std::string, uintptr_t>, uint32_t>;  // "" is no group
    for (const std::string filter : {"crowd", "crowd/#"}) {
        SubscriptionIndex index;
        Model model;
        std::mt19937 random(23);
        for (int step = 0; step < 20'000; ++step) {
            const bool growing = step / 2500 % 2 == 0;
            const uintptr_t number = 1 + random() % 300;
            std::string group = random() % 2 == 0 ? "" : "g";
            if (random() % 3 == 0) group = std::to_string(random() % 200);
            const auto key = std::pair(group, number);
            const bool known = model.contains(key);
            SubscribeOptions options;
            options.subscription_id = static_cast<uint32_t>(step) + 1;
            if (random() % 10 < (growing ? 8U : 2U)) {
                const bool was = group.empty()
                                     ? index.add(filter, who(number), options)
                                     : index.add_shared(filter, group, who(number), options);
                ASSERT_EQ(was, known);
                model[key] = options.subscription_id;
            } else {
                const bool was = group.empty() ? index.remove(filter, who(number))
                                               : index.remove_shared(filter, group, who(number));
                ASSERT_EQ(was, known);
                model.erase(key);
            }
            ASSERT_EQ(index.subscriptions(), model.size());
            if (step % 500 != 0) continue;
            Model found;
            index.match("crowd", SubscriptionIndex::hash_of("crowd"),
                        {[](void* context, IndexedFilter& here) {
                             auto& f = *static_cast<Model*>(context);
                             const auto note = [&](const std::string& name, const auto& one) {
                                 f[{name, reinterpret_cast<uintptr_t>(one.who.subscriber) / 64}] =
                                     one.options.subscription_id;
                             };
                             for (const auto& entry : here.entries) note("", entry);
                             for (const auto& one : here.groups) {
                                 const auto& clients = one.group->clients;
                                 for (size_t i = 0; i < clients.size(); ++i) {
                                     note(one.group->lasting->name, clients[i]);
                                 }
                             }
                         },
                         &found});
            ASSERT_EQ(found, model);
        }
    }
}

TEST(SubscriptionIndex, GenerationsChangeForTheTopicsConcerned) {
    SubscriptionIndex index;
    const size_t mine = SubscriptionIndex::bucket_of(SubscriptionIndex::hash_of("a/b"));
    std::string elsewhere;
    for (int i = 0; elsewhere.empty(); ++i) {
        const std::string topic = "x/" + std::to_string(i);
        if (SubscriptionIndex::bucket_of(SubscriptionIndex::hash_of(topic)) != mine)
            elsewhere = topic;
    }
    const size_t other = SubscriptionIndex::bucket_of(SubscriptionIndex::hash_of(elsewhere));
    // Runs a change; says whether it touched this topic's bucket and the other one.
    const auto touched = [&](auto change) {
        const uint64_t before[] = {index.generation(mine), index.generation(other)};
        change();
        EXPECT_GE(index.generation(mine), before[0]);
        EXPECT_GE(index.generation(other), before[1]);
        return std::pair(index.generation(mine) != before[0], index.generation(other) != before[1]);
    };
    const std::pair both(true, true);
    const std::pair only_mine(true, false);
    const std::pair none(false, false);
    EXPECT_EQ(touched([&] { index.add("a/b", who(1), {}); }), only_mine);
    EXPECT_EQ(touched([&] { index.add("a/b", who(1), {.qos = Qos::at_least_once}); }), only_mine);
    EXPECT_EQ(touched([&] { index.add("a/+", who(1), {}); }), both);
    EXPECT_EQ(touched([&] { index.add_shared("a/b", "g", who(1), {}); }), only_mine);
    EXPECT_EQ(touched([&] { index.add_shared("a/b", "g", who(2), {}); }), only_mine);
    EXPECT_EQ(touched([&] { index.add_shared("#", "g", who(2), {}); }), both);
    EXPECT_EQ(touched([&] { index.add_route("a/b", 0); }), only_mine);
    EXPECT_EQ(touched([&] { index.add_route("a/#", 0); }), both);
    EXPECT_EQ(touched([&] { index.remove("a/b", who(9)); }), none);
    EXPECT_EQ(touched([&] { index.remove("nobody/has/this", who(1)); }), none);
    EXPECT_EQ(touched([&] { index.remove_shared("a/b", "h", who(1)); }), none);
    EXPECT_EQ(touched([&] { index.remove_shared("a/b", "g", who(9)); }), none);
    EXPECT_EQ(touched([&] { index.remove("a/b", who(1)); }), only_mine);
    EXPECT_EQ(touched([&] { index.remove("a/+", who(1)); }), both);
    EXPECT_EQ(touched([&] { index.remove_shared("a/b", "g", who(1)); }), only_mine);
    EXPECT_EQ(touched([&] { index.remove_shared("#", "g", who(2)); }), both);
    EXPECT_EQ(touched([&] { index.remove_route("a/b", 0); }), only_mine);
    EXPECT_EQ(touched([&] { index.remove_route("a/#", 0); }), both);
}

TEST(SubscriptionIndex, TheSameSubscriberOnAnotherShardIsAnother) {
    SubscriptionIndex index;
    index.add("a", who(1, 0), {});
    EXPECT_FALSE(index.add("a", who(1, 1), {}));
    EXPECT_TRUE(index.remove("a", who(1, 0)));
    EXPECT_EQ(look_up(index, "a").subscribers.size(), 1u);
}

}  // namespace
}  // namespace trestle
