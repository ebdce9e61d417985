// The filters with wildcards, as a tree of levels whose edges lie in one hash table.
//
// An edge is found by the hash of its parent's path and its own level, so a step costs one look
// into the table and one at the node, however many children the parent has; `+` hangs on its
// parent. A node is one block of memory with its level's text behind it. Written and read under
// the index's locks.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/flat_table.h"
#include "core/indexed_filter.h"
#include "core/with_text.h"

namespace trestle {

class FilterTree {
 public:
    FilterTree();
    ~FilterTree();
    FilterTree(const FilterTree&) = delete;
    FilterTree& operator=(const FilterTree&) = delete;

    /// Made when it is not there.
    IndexedFilter& at(std::string_view filter);
    IndexedFilter* find(std::string_view filter) const;
    /// Drops what has become empty, from the filter's leaf upwards.
    void prune(std::string_view filter);
    /// Calls `visit` for every filter that matches the topic.
    /// How many places were looked at: with overlapping wildcards, far more than match.
    size_t match(std::string_view topic, const FilterVisit& visit) const;

 private:
    struct Branch;
    using Node = WithText<Branch>;  // the text is its level
    /// A node with the hash of its path.
    struct Place {
        Node* node;
        uint64_t hash;
    };
    [[nodiscard]] Place child(Place parent, std::string_view level) const;
    [[nodiscard]] Place step(Place parent, std::string_view level) const;
    Place add_child(Place parent, std::string_view level);
    void drop(Place place);

    FlatTable<Node> edges_;
    Node* root_;
};

}  // namespace trestle
