// Which of many topic filters have topics in common with one?
//
// A tree of levels, so that a table of thousands of rules is not compared pair by pair. It answers
// with candidates: by the filters alone, without what a template says beyond its filter. Used while
// a routing table is examined, on one thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trestle {

class OverlapTree {
 public:
    OverlapTree();
    ~OverlapTree();
    OverlapTree(OverlapTree&&) noexcept;

    void add(std::string_view filter, size_t number);
    /// The numbers of all filters that may match a topic which this one matches, in order.
    [[nodiscard]] std::vector<size_t> overlapping(std::string_view filter) const;

 private:
    struct Node;
    std::unique_ptr<Node> root_;
};

}  // namespace trestle
