// Pointers in an open-addressed hash table: one look into memory tells, nearly always, whether
// something is there, and that look can be begun ahead of time (`prefetch`).
//
// The hash lies beside each pointer; what it points to is looked at only when all 64 bits agree.
// Owns nothing. Grows and shrinks by doubling and halving. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace trestle {

template <class T>
class FlatTable {
 public:
    [[nodiscard]] size_t size() const { return size_; }

    void prefetch(uint64_t hash) const {
        if (capacity_ != 0) __builtin_prefetch(&slots_[hash & (capacity_ - 1)]);
    }
    /// The first item with this hash that `is_it` takes; null when there is none.
    template <class F>
    [[nodiscard]] T* find(uint64_t hash, F is_it) const {
        if (size_ == 0) return nullptr;
        for (size_t at = home(hash); slots_[at].item != nullptr; at = next(at)) {
            if (slots_[at].hash == hash && is_it(*slots_[at].item)) return slots_[at].item;
        }
        return nullptr;
    }
    /// It is not there yet.
    void insert(uint64_t hash, T* item) {
        if ((size_ + 1) * 3 > capacity_ * 2) resize(capacity_ == 0 ? kSmallest : capacity_ * 2);
        put({hash, item});
        ++size_;
    }
    void erase(uint64_t hash, const T* item) {
        size_t at = home(hash);
        while (slots_[at].item != item) at = next(at);
        close_gap(at);
        if (--size_ == 0) {
            slots_.reset();
            capacity_ = 0;
        } else if (capacity_ > kSmallest && size_ * 8 < capacity_) {
            resize(capacity_ / 2);
        }
    }
    template <class F>
    void for_each(F f) const {
        for (size_t at = 0; at < capacity_; ++at) {
            if (slots_[at].item != nullptr) f(slots_[at].item);
        }
    }

 private:
    struct Slot {
        uint64_t hash = 0;
        T* item = nullptr;
    };
    static constexpr size_t kSmallest = 8;

    [[nodiscard]] size_t home(uint64_t hash) const { return hash & (capacity_ - 1); }
    [[nodiscard]] size_t next(size_t at) const { return (at + 1) & (capacity_ - 1); }

    void put(const Slot& slot) {
        size_t at = home(slot.hash);
        while (slots_[at].item != nullptr) at = next(at);
        slots_[at] = slot;
    }
    // Moves up what would not be found any more behind a hole.
    void close_gap(size_t hole) {
        for (size_t at = next(hole); slots_[at].item != nullptr; at = next(at)) {
            const size_t from_home = (at - home(slots_[at].hash)) & (capacity_ - 1);
            const size_t from_hole = (at - hole) & (capacity_ - 1);
            if (from_home < from_hole) continue;
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole] = {};
    }
    void resize(size_t capacity) {
        const auto former = std::exchange(slots_, std::make_unique<Slot[]>(capacity));
        const size_t count = std::exchange(capacity_, capacity);
        for (size_t at = 0; at < count; ++at) {
            if (former[at].item != nullptr) put(former[at]);
        }
    }

    std::unique_ptr<Slot[]> slots_;
    size_t capacity_ = 0;
    size_t size_ = 0;
};

}  // namespace trestle
