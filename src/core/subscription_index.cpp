#include "core/subscription_index.h"

#include <algorithm>

namespace trestle {

struct SubscriptionIndex::Node {
    ByText<std::unique_ptr<Node>> children;
    std::unique_ptr<Node> plus;
    Filter here;  // filters that end at this level
    Filter rest;  // filters that end in '#' below this level

    [[nodiscard]] bool empty() const {
        return children.empty() && !plus && here.empty() && rest.empty();
    }
};

namespace {

bool has_wildcard(std::string_view filter) {
    return filter.find_first_of("+#") != std::string_view::npos;
}

/// Splits off the first level; false when it was the last.
bool next_level(std::string_view& rest, std::string_view& level) {
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) {
        level = rest;
        return false;
    }
    level = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    return true;
}

}  // namespace

SubscriptionIndex::SubscriptionIndex() : root_(std::make_unique<Node>()) {}
SubscriptionIndex::~SubscriptionIndex() = default;

size_t SubscriptionIndex::bucket_of(std::string_view topic) {
    return std::hash<std::string_view>()(topic) % kBuckets;
}

SubscriptionIndex::Filter& SubscriptionIndex::at(std::string_view filter) {
    if (!has_wildcard(filter)) {
        const auto found = exact_.find(filter);
        if (found != exact_.end()) return found->second;
        return exact_[std::string(filter)];
    }
    Node* node = root_.get();
    std::string_view level;
    for (bool more = true; more;) {
        more = next_level(filter, level);
        if (level == "#") return node->rest;
        if (level == "+") {
            if (!node->plus) node->plus = std::make_unique<Node>();
            node = node->plus.get();
            continue;
        }
        auto child = node->children.find(level);
        if (child == node->children.end()) {
            child = node->children.emplace(level, std::make_unique<Node>()).first;
        }
        node = child->second.get();
    }
    return node->here;
}

SubscriptionIndex::Filter* SubscriptionIndex::find(std::string_view filter) {
    if (!has_wildcard(filter)) {
        const auto found = exact_.find(filter);
        return found == exact_.end() ? nullptr : &found->second;
    }
    Node* node = root_.get();
    std::string_view level;
    for (bool more = true; more;) {
        more = next_level(filter, level);
        if (level == "#") return &node->rest;
        if (level == "+") {
            node = node->plus.get();
        } else {
            const auto child = node->children.find(level);
            node = child == node->children.end() ? nullptr : child->second.get();
        }
        if (node == nullptr) return nullptr;
    }
    return &node->here;
}

void SubscriptionIndex::changed(std::string_view filter) {
    auto& generation =
        has_wildcard(filter) ? wildcard_generation_ : exact_generation_[bucket_of(filter)];
    generation.fetch_add(1, std::memory_order_release);
}

// Drops what became empty, from the leaf upwards.
void SubscriptionIndex::prune(std::string_view filter) {
    if (!has_wildcard(filter)) {
        const auto found = exact_.find(filter);
        if (found != exact_.end() && found->second.empty()) exact_.erase(found);
        return;
    }
    struct Step {
        Node* parent;
        std::string_view level;
    };
    std::vector<Step> path;
    Node* node = root_.get();
    std::string_view level;
    for (bool more = true; more && node != nullptr;) {
        more = next_level(filter, level);
        if (level == "#") break;
        path.push_back({node, level});
        if (level == "+") {
            node = node->plus.get();
        } else {
            const auto child = node->children.find(level);
            node = child == node->children.end() ? nullptr : child->second.get();
        }
    }
    while (node != nullptr && node->empty() && !path.empty()) {
        const Step step = path.back();
        path.pop_back();
        if (step.level == "+") {
            step.parent->plus.reset();
        } else {
            step.parent->children.erase(step.parent->children.find(step.level));
        }
        node = step.parent;
    }
}

bool SubscriptionIndex::add(std::string_view filter, SubscriberRef who,
                            const SubscribeOptions& options) {
    auto& entries = at(filter).entries;
    changed(filter);
    const auto mine = std::ranges::find(entries, who, &Entry::who);
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
    Filter* found = find(filter);
    if (found == nullptr) return false;
    auto& entries = found->entries;
    const auto mine = std::ranges::find(entries, who, &Entry::who);
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
    Filter* found = find(filter);
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
    Filter* found = find(filter);
    if (found == nullptr) return;
    std::erase(found->routes, route);
    changed(filter);
    prune(filter);
}

namespace {

struct Visit {
    void (*call)(void*, SubscriptionIndex::Filter&);
    void* context;
};

void offer(SubscriptionIndex::Filter& filter, const Visit& visit) {
    if (!filter.empty()) visit.call(visit.context, filter);
}

}  // namespace

void SubscriptionIndex::match(std::string_view topic, void (*call)(void*, Filter&),
                              void* context) const {
    const Visit visit{call, context};
    if (const auto found = exact_.find(topic); found != exact_.end()) {
        offer(const_cast<Filter&>(found->second), visit);
    }
    // Depth first; `rest` is what of the topic lies below the node, `ended` that nothing does.
    struct Frame {
        Node* node;
        std::string_view rest;
        bool ended;
    };
    const bool special = topic.starts_with('$');  // wildcards do not match it first [MQTT-4.7.2-1]
    std::vector<Frame> stack;
    stack.push_back({root_.get(), topic, false});
    while (!stack.empty()) {
        const Frame frame = stack.back();
        stack.pop_back();
        const bool wild = !(special && frame.node == root_.get());
        if (wild) offer(frame.node->rest, visit);
        if (frame.ended) {
            offer(frame.node->here, visit);
            continue;
        }
        std::string_view rest = frame.rest;
        std::string_view level;
        const bool more = next_level(rest, level);
        if (wild && frame.node->plus) stack.push_back({frame.node->plus.get(), rest, !more});
        if (frame.node->children.empty()) continue;
        const auto child = frame.node->children.find(level);
        if (child != frame.node->children.end()) {
            stack.push_back({child->second.get(), rest, !more});
        }
    }
}

}  // namespace trestle
