#include "core/overlap_tree.h"

#include <algorithm>

#include "core/topic.h"

namespace trestle {

struct OverlapTree::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;  // "+" among them
    std::vector<size_t> here;
    std::vector<size_t> rest;  // of filters that go on with '#'
};

OverlapTree::OverlapTree() : root_(std::make_unique<Node>()) {}
OverlapTree::~OverlapTree() = default;
OverlapTree::OverlapTree(OverlapTree&&) noexcept = default;

void OverlapTree::add(std::string_view filter, size_t number) {
    Node* node = root_.get();
    std::string_view level;
    for (LevelReader levels(filter); levels.next(level);) {
        if (level == "#") return node->rest.push_back(number);
        auto& child = node->children[std::string(level)];
        if (!child) child = std::make_unique<Node>();
        node = child.get();
    }
    node->here.push_back(number);
}

std::vector<size_t> OverlapTree::overlapping(std::string_view filter) const {
    std::vector<std::string_view> wanted;
    std::string_view level;
    for (LevelReader levels(filter); levels.next(level);) wanted.push_back(level);
    std::vector<size_t> found;
    const auto take = [&found](const std::vector<size_t>& some) {
        found.insert(found.end(), some.begin(), some.end());
    };
    struct Step {
        const Node* node;
        size_t depth;
        bool below_rest;
    };
    std::vector<Step> steps{{root_.get(), 0, false}};
    while (!steps.empty()) {
        const Step step = steps.back();
        steps.pop_back();
        const Node* node = step.node;
        const size_t depth = step.depth;
        take(node->rest);
        const bool takes_all = step.below_rest || (depth < wanted.size() && wanted[depth] == "#");
        if (takes_all || depth == wanted.size()) take(node->here);
        if (!takes_all && depth == wanted.size()) continue;
        const auto enter = [&](const Node& child) {
            steps.push_back({&child, depth + 1, takes_all});
        };
        if (takes_all || wanted[depth] == "+") {
            for (const auto& [name, child] : node->children) enter(*child);
            continue;
        }
        for (const std::string_view name : {wanted[depth], std::string_view("+")}) {
            const auto child = node->children.find(name);
            if (child != node->children.end()) enter(*child->second);
        }
    }
    std::ranges::sort(found);
    return found;
}

}  // namespace trestle
