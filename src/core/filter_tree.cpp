#include "core/filter_tree.h"

#include <memory>
#include <vector>

#include "core/text_hash.h"

namespace trestle {

struct FilterTree::Branch {
    Node* parent = nullptr;
    Node* plus = nullptr;
    std::unique_ptr<IndexedFilter> here;  // the filter that ends at this level
    std::unique_ptr<IndexedFilter> rest;  // that which ends in '#' below this level
    uint32_t children = 0;                // besides `plus`

    [[nodiscard]] bool empty() const { return children == 0 && plus == nullptr && !here && !rest; }
};

namespace {

constexpr uint64_t kRootHash = 1;

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

uint64_t hash_of(uint64_t parent, std::string_view level) { return text_hash(level, parent); }
// Unlike that of any level.
uint64_t plus_of(uint64_t parent) { return text_hash({}, ~parent); }

IndexedFilter& made(std::unique_ptr<IndexedFilter>& filter) {
    if (!filter) filter = std::make_unique<IndexedFilter>();
    return *filter;
}

}  // namespace

FilterTree::FilterTree() : root_(Node::make({})) {}

FilterTree::~FilterTree() {
    // `plus` is in the table too, so this is all but the root.
    edges_.for_each([](Node* node) { Node::destroy(node); });
    Node::destroy(root_);
}

FilterTree::Place FilterTree::child(Place parent, std::string_view level) const {
    const uint64_t hash = hash_of(parent.hash, level);
    return {edges_.find(hash,
                        [&](const Node& node) {
                            return node.parent == parent.node && node.text() == level;
                        }),
            hash};
}

// As `child`, for a level of a filter.
FilterTree::Place FilterTree::step(Place parent, std::string_view level) const {
    if (level == "+") return {parent.node->plus, plus_of(parent.hash)};
    return child(parent, level);
}

FilterTree::Place FilterTree::add_child(Place parent, std::string_view level) {
    const bool plus = level == "+";
    const uint64_t hash = plus ? plus_of(parent.hash) : hash_of(parent.hash, level);
    Node* node = Node::make(level);
    node->parent = parent.node;
    edges_.insert(hash, node);
    if (plus) {
        parent.node->plus = node;
    } else {
        ++parent.node->children;
    }
    return {node, hash};
}

void FilterTree::drop(Place place) {
    Node* parent = place.node->parent;
    if (parent->plus == place.node) {
        parent->plus = nullptr;
    } else {
        --parent->children;
    }
    edges_.erase(place.hash, place.node);
    Node::destroy(place.node);
}

IndexedFilter& FilterTree::at(std::string_view filter) {
    Place place{root_, kRootHash};
    std::string_view level;
    for (bool more = true; more;) {
        more = next_level(filter, level);
        if (level == "#") return made(place.node->rest);
        const Place next = step(place, level);
        place = next.node != nullptr ? next : add_child(place, level);
    }
    return made(place.node->here);
}

IndexedFilter* FilterTree::find(std::string_view filter) const {
    Place place{root_, kRootHash};
    std::string_view level;
    for (bool more = true; more;) {
        more = next_level(filter, level);
        if (level == "#") return place.node->rest.get();
        place = step(place, level);
        if (place.node == nullptr) return nullptr;
    }
    return place.node->here.get();
}

void FilterTree::prune(std::string_view filter) {
    std::vector<Place> path{{root_, kRootHash}};
    std::string_view level;
    for (bool more = true; more;) {
        more = next_level(filter, level);
        if (level == "#") break;
        path.push_back(step(path.back(), level));
        if (path.back().node == nullptr) return;
    }
    const Node* leaf = path.back().node;
    auto& ended = level == "#" ? path.back().node->rest : path.back().node->here;
    if (ended && ended->empty()) ended.reset();
    for (; leaf != root_ && leaf->empty(); leaf = path.back().node) {
        drop(path.back());
        path.pop_back();
    }
}

size_t FilterTree::match(std::string_view topic, const FilterVisit& visit) const {
    // Depth first; `rest` is what of the topic lies below the place, `ended` that nothing does.
    struct Frame {
        Place place;
        std::string_view rest;
        bool ended;
    };
    const bool special = topic.starts_with('$');  // wildcards do not match it first [MQTT-4.7.2-1]
    boost::container::small_vector<Frame, 16> stack;
    stack.push_back({{root_, kRootHash}, topic, false});
    size_t places = 0;
    for (; !stack.empty(); ++places) {
        const auto [place, below, ended] = stack.back();
        stack.pop_back();
        const Node& node = *place.node;
        const bool wild = !special || place.node != root_;
        if (wild && node.rest) visit(*node.rest);
        if (ended) {
            if (node.here) visit(*node.here);
            continue;
        }
        std::string_view rest = below;
        std::string_view level;
        const bool more = next_level(rest, level);
        if (wild && node.plus != nullptr) {
            stack.push_back({{node.plus, plus_of(place.hash)}, rest, !more});
        }
        if (node.children == 0) continue;
        if (const Place next = child(place, level); next.node != nullptr) {
            stack.push_back({next, rest, !more});
        }
    }
    return places;
}

}  // namespace trestle
