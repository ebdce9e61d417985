// Finds items of a list by their keys: one by one while they are few, by a hash table when they are
// many. The list is somebody else's, who tells of each change; an item that is removed leaves its
// place to the last one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace trestle {

/// No place.
inline constexpr size_t kNowhere = SIZE_MAX;

template <class Key, class Hash = std::hash<Key>>
class PlaceIndex {
 public:
    static constexpr size_t kFew = 16;  ///< longer lists have a table

    /// In a list of `size`; `key_at(place)` gives the items' keys.
    template <class KeyAt>
    [[nodiscard]] size_t find(const Key& key, size_t size, KeyAt key_at) const {
        if (table_) {
            const auto found = table_->find(key);
            return found == table_->end() ? kNowhere : found->second;
        }
        for (size_t at = 0; at < size; ++at) {
            if (key_at(at) == key) return at;
        }
        return kNowhere;
    }
    /// The list has got one more, its last, and now has `size`.
    template <class KeyAt>
    void added(size_t size, KeyAt key_at) {
        if (table_) {
            table_->emplace(key_at(size - 1), size - 1);
        } else if (size > kFew) {
            table_ = std::make_unique<Table>();
            for (size_t at = 0; at < size; ++at) table_->emplace(key_at(at), at);
        }
    }
    /// The list of `size` is about to lose the item at this place.
    template <class KeyAt>
    void removing(size_t place, size_t size, KeyAt key_at) {
        if (!table_) return;
        if (size <= kFew / 2) {
            table_.reset();
            return;
        }
        table_->find(key_at(size - 1))->second = place;
        table_->erase(key_at(place));
    }

 private:
    using Table = std::unordered_map<Key, size_t, Hash>;
    std::unique_ptr<Table> table_;
};

}  // namespace trestle
