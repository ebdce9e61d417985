// Pages over what is spread over the shards, in one order: each shard gives its part from a place
// on, and what all of them have looked at is merged.
//
// An item has a `key`, by which each shard is in order; a cursor is a key. A shard looks at a
// bounded number of items per request, so a page may be short, or empty, without being the last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace trestle {

/// Bytes of the names and contents in one page, or in one shard's part of it; one item may go
/// beyond. Peers choose names, and a thousand long ones would be a great answer.
inline constexpr size_t kMostPageBytes = 1024 * 1024;

/// What one shard gives.
template <class Item>
struct ShardPage {
    using Key = decltype(Item::key);
    std::vector<Item> items;
    size_t bytes = 0;  // of their names
    /// The last one that was looked at; nothing: there are no more.
    std::optional<Key> reached;

    [[nodiscard]] bool is_full(size_t limit) const {
        return items.size() >= limit || bytes >= kMostPageBytes;
    }
};

template <class Item>
struct Page {
    std::vector<Item> items;
    std::optional<decltype(Item::key)> next;  // where the next page begins; nothing: at its end
};

template <class Item>
Page<Item> merge_pages(std::vector<ShardPage<Item>> parts, size_t limit) {
    Page<Item> page;
    // Beyond the shard that has got least far, others may have what belongs before.
    for (auto& part : parts) {
        if (part.reached && (!page.next || *part.reached < *page.next)) page.next = part.reached;
        std::move(part.items.begin(), part.items.end(), std::back_inserter(page.items));
    }
    std::ranges::sort(page.items, {}, &Item::key);
    if (page.next) {
        std::erase_if(page.items, [&](const Item& item) { return *page.next < item.key; });
    }
    if (page.items.size() > limit) {
        page.items.resize(limit);
        page.next = page.items.back().key;
    }
    return page;
}

}  // namespace trestle
