#include "core/retained.h"

#include <algorithm>
#include <utility>

#include "core/text_hash.h"
#include "core/topic.h"

namespace trestle {

struct RetainedTree::Node {
    Children children;
    MessagePtr message;
    uint64_t publisher = 0;
    bool is_overtaken = false;

    [[nodiscard]] bool empty() const { return !message && children.empty(); }
};

namespace {

// What the levels of a topic take in the tree, from one of them on.
size_t bytes_from(std::string_view level, std::string_view topic) {
    const std::string_view rest = topic.substr(static_cast<size_t>(level.data() - topic.data()));
    const auto slashes = static_cast<size_t>(std::ranges::count(rest, '/'));
    return (slashes + 1) * RetainedTree::kLevelBytes + rest.size() - slashes;
}

}  // namespace

RetainedTree::RetainedTree(const RetainedLimits& limits)
    : limits_(limits), root_(std::make_unique<Node>()) {}

// Level by level: a topic of tens of thousands of levels must not use up the stack.
RetainedTree::~RetainedTree() {
    std::vector<std::unique_ptr<Node>> left;
    left.push_back(std::move(root_));
    while (!left.empty()) {
        const auto node = std::move(left.back());
        left.pop_back();
        for (auto& [level, child] : node->children) left.push_back(std::move(child));
    }
}

RetainedTree::Node* RetainedTree::find(std::string_view topic) const {
    return by_topic_.find(text_hash(topic),
                          [&](const Node& node) { return node.message->view().topic == topic; });
}

RetainedTree::Node* RetainedTree::make(std::string_view topic, size_t room) {
    Node* node = root_.get();
    bool is_new = false;
    std::string_view level;
    for (LevelReader levels(topic); levels.next(level);) {
        auto child = node->children.find(level);
        if (child == node->children.end()) {
            if (!is_new) {
                const size_t bytes = bytes_from(level, topic);
                if (bytes > room) return nullptr;
                bytes_.fetch_add(bytes, std::memory_order_relaxed);
                is_new = true;
            }
            child = node->children.emplace(level, std::make_unique<Node>()).first;
        }
        node = child->second.get();
    }
    return node;
}

void RetainedTree::overtake(std::string_view topic) {
    if (messages() == 0) return;
    const std::lock_guard guard(mutex_);
    if (Node* node = find(topic)) node->is_overtaken = true;
}

MessagePtr RetainedTree::current(std::string_view topic, uint64_t now_ms) {
    const std::lock_guard guard(mutex_);
    const Node* node = find(topic);
    if (node == nullptr || node->is_overtaken) return nullptr;
    return node->message->view().expires_at_ms > now_ms ? node->message : nullptr;
}

bool RetainedTree::holds(const Message& message) {
    const uint64_t hash = text_hash(message.view().topic);
    const std::lock_guard guard(mutex_);
    return by_topic_.find(hash, [&](const Node& node) { return node.message.get() == &message; }) !=
           nullptr;
}

// Drops the message, and the nodes that only it needed.
void RetainedTree::erase(std::string_view topic) {
    Node* keep = root_.get();  // the last node on the way that is needed anyway
    std::string_view first_unneeded;
    Node* node = root_.get();
    std::string_view level;
    for (LevelReader levels(topic); levels.next(level);) {
        const auto child = node->children.find(level);
        if (child == node->children.end()) return;
        if (node == root_.get() || node->message || node->children.size() > 1) {
            keep = node;
            first_unneeded = level;
        }
        node = child->second.get();
    }
    if (!node->message) return;
    forget_message(*node);
    if (!node->children.empty()) return;
    // A chain, without branches: taken apart from above.
    bytes_.fetch_sub(bytes_from(first_unneeded, topic), std::memory_order_relaxed);
    auto at = keep->children.find(first_unneeded);
    auto chain = std::move(at->second);
    keep->children.erase(at);
    while (!chain->children.empty()) {
        auto below = std::move(chain->children.begin()->second);
        chain = std::move(below);
    }
}

void RetainedTree::put(Node& node, const MessagePtr& message, uint64_t publisher) {
    const MessageView& view = message->view();
    messages_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(view.size(), std::memory_order_relaxed);
    if (view.expires_at_ms != kNeverExpires) expiring_.insert({view.expires_at_ms, message.get()});
    node.message = message;
    node.publisher = publisher;
    node.is_overtaken = false;
    by_topic_.insert(text_hash(view.topic), &node);
}

void RetainedTree::forget_message(Node& node) {
    const MessageView& view = node.message->view();
    by_topic_.erase(text_hash(view.topic), &node);
    messages_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(view.size(), std::memory_order_relaxed);
    if (view.expires_at_ms != kNeverExpires) {
        expiring_.erase({view.expires_at_ms, node.message.get()});
    }
    node.message.reset();
}

RetainedStore::Kept RetainedTree::keep(const MessagePtr& message, uint64_t publisher) {
    const MessageView& view = message->view();
    const std::lock_guard guard(mutex_);
    Node* known = find(view.topic);
    if (view.payload.empty()) {
        if (known != nullptr) erase(view.topic);
        return Kept::cleared;
    }
    const size_t others = bytes() - (known != nullptr ? known->message->view().size() : 0);
    Node* node = nullptr;
    if (messages() + (known == nullptr ? 1 : 0) <= limits_.max_messages &&
        others + view.size() <= limits_.max_bytes) {
        node =
            known != nullptr ? known : make(view.topic, limits_.max_bytes - others - view.size());
    }
    if (node == nullptr) {
        if (known != nullptr) erase(view.topic);
        return Kept::full;
    }
    if (known != nullptr) forget_message(*node);
    put(*node, message, publisher);
    return Kept::stored;
}

void RetainedTree::remove_expired(uint64_t now_ms, size_t most) {
    const std::lock_guard guard(mutex_);
    for (; most > 0 && !expiring_.empty() && expiring_.begin()->first <= now_ms; --most) {
        const MessagePtr message = expiring_.begin()->second;  // holds the topic's text
        erase(message->view().topic);
    }
}

std::vector<RetainedStore::Level> RetainedTree::levels_below(std::optional<std::string_view> topic,
                                                             std::optional<std::string_view> after,
                                                             size_t most, uint64_t now_ms) {
    std::vector<Level> found;
    const std::lock_guard guard(mutex_);
    const Node* node = root_.get();
    std::string_view level;
    for (LevelReader levels(topic.value_or("")); topic && levels.next(level);) {
        const auto child = node->children.find(level);
        if (child == node->children.end()) return found;
        node = child->second.get();
    }
    auto at = after ? node->children.upper_bound(*after) : node->children.begin();
    for (; at != node->children.end() && found.size() < most; ++at) {
        const Node& child = *at->second;
        const bool expired = child.message && child.message->view().expires_at_ms <= now_ms;
        found.push_back({at->first, expired ? nullptr : child.message, !child.children.empty()});
    }
    return found;
}

/// One call's part of a walk: depth first, each node before what is below it, children in order.
class RetainedTree::Walk {
 public:
    Walk(Node& root, RetainedCursor& cursor, uint64_t now_ms) : cursor_(cursor), now_ms_(now_ms) {
        std::string_view level;
        for (LevelReader levels(cursor.filter); levels.next(level);) filter_.push_back(level);
        enter(root, nullptr, false);
    }

    /// Returns how many nodes were looked at.
    size_t run(size_t most, std::vector<MessagePtr>& out) {
        if (cursor_.begun) go_back_to(cursor_.after);
        cursor_.begun = true;
        const size_t enough = out.size() + most;
        size_t visited = 0;
        for (; visited < kMostVisited && out.size() < enough; ++visited) {
            const Node* node = next();
            if (node == nullptr) {
                cursor_.done = true;
                return visited;
            }
            if (node->message && selected()) take(*node, out);
        }
        remember_place();
        return visited;
    }

 private:
    struct Frame {
        Node* node;
        const std::string* level;  // its own, below the parent; null for the root
        Children::iterator next, end;
        bool below_hash;
    };

    void enter(Node& node, const std::string* level, bool below_hash) {
        const size_t depth = stack_.size();
        auto& children = node.children;
        Frame frame{&node, level, children.end(), children.end(), below_hash};
        if (below_hash) {
            frame.next = children.begin();
        } else if (depth < filter_.size()) {
            const std::string_view wanted = filter_[depth];
            if (wanted == "#" || wanted == "+") {
                frame.next = children.begin();
            } else if (frame.next = children.find(wanted); frame.next != frame.end) {
                frame.end = std::next(frame.next);
            }
        }
        stack_.push_back(frame);
    }

    /// The next node in order, which is then on top of the stack; null when there is none.
    const Node* next() {
        while (!stack_.empty()) {
            Frame& top = stack_.back();
            // Wildcards at the front do not match topics of the server's own [MQTT-4.7.2-1].
            if (stack_.size() == 1 && is_wild(filter_[0])) {
                while (top.next != top.end && top.next->first.starts_with('$')) ++top.next;
            }
            if (top.next == top.end) {
                stack_.pop_back();
                continue;
            }
            const auto child = top.next++;
            const bool hash = top.below_hash || filter_[stack_.size() - 1] == "#";
            enter(*child->second, &child->first, hash);
            return child->second.get();
        }
        return nullptr;
    }

    static bool is_wild(std::string_view level) { return level == "#" || level == "+"; }

    /// Whether the filter selects the node on top, or only leads through it.
    [[nodiscard]] bool selected() const {
        const size_t depth = stack_.size() - 1;
        if (stack_.back().below_hash || depth == filter_.size()) return true;
        return depth + 1 == filter_.size() && filter_[depth] == "#";  // "a/#" selects "a" too
    }

    void take(const Node& node, std::vector<MessagePtr>& out) const {
        if (node.message->view().expires_at_ms <= now_ms_) return;
        if (cursor_.without_publisher != 0 && node.publisher == cursor_.without_publisher) return;
        out.push_back(node.message);
    }

    /// Rebuilds the stack for a place; what is gone by now is passed over.
    void go_back_to(std::string_view place) {
        std::string_view level;
        for (LevelReader levels(place); levels.next(level);) {
            Frame& top = stack_.back();
            const auto child = top.node->children.find(level);
            if (top.next == top.end) return;  // the way has changed
            if (child == top.node->children.end()) {
                top.next = top.node->children.upper_bound(level);
                if (!is_open(stack_.size() - 1)) top.next = top.end;
                return;
            }
            top.next = std::next(child);
            const bool hash = top.below_hash || filter_[stack_.size() - 1] == "#";
            enter(*child->second, &child->first, hash);
        }
    }

    /// Whether all children of a node at that depth are walked, not one only.
    [[nodiscard]] bool is_open(size_t depth) const {
        return stack_[depth].below_hash || is_wild(filter_[depth]);
    }

    void remember_place() {
        cursor_.after.clear();
        for (size_t i = 1; i < stack_.size(); ++i) {
            if (i > 1) cursor_.after.push_back('/');
            cursor_.after.append(*stack_[i].level);
        }
    }

    RetainedCursor& cursor_;
    uint64_t now_ms_;
    std::vector<std::string_view> filter_;
    std::vector<Frame> stack_;
};

size_t RetainedTree::collect(RetainedCursor& cursor, size_t most, uint64_t now_ms,
                             std::vector<MessagePtr>& out) {
    if (messages() == 0) {
        cursor.done = true;
        return 0;
    }
    const std::lock_guard guard(mutex_);
    return Walk(*root_, cursor, now_ms).run(most, out);
}

}  // namespace trestle
