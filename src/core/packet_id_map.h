// A small hash table from packet ids to T, for the few that are in use at a time: open addressing
// in one block of memory, none while it is empty. Ids that follow each other, as clients give them,
// never collide. Id 0, which the protocol does not have, marks a free place. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace trestle {

template <class T>
class PacketIdMap {
 public:
    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    /// Null: not there. Good until the next change.
    T* find(uint16_t id) {
        if (size_ == 0) return nullptr;
        for (size_t at = id & mask();; at = (at + 1) & mask()) {
            if (places_[at].id == id) return &places_[at].value;
            if (places_[at].id == 0) return nullptr;
        }
    }

    /// `id` is not there yet.
    T& insert(uint16_t id, T value) {
        if (2 * (size_ + 1) > capacity_) grow();
        ++size_;
        return put({std::move(value), id}).value;
    }

    bool erase(uint16_t id) {
        if (find(id) == nullptr) return false;
        size_t hole = id & mask();
        while (places_[hole].id != id) hole = (hole + 1) & mask();
        if (hole != (id & mask())) --displaced_;
        if (displaced_ != 0) close_gap(hole);
        places_[hole] = {};
        if (--size_ == 0 && capacity_ > kKept) clear();
        return true;
    }

    /// `gone(id, value)` true: it is taken out.
    template <class F>
    void erase_if(F gone) {
        PacketIdMap rest;
        for (size_t i = 0; i < capacity_; ++i) {
            Place& place = places_[i];
            if (place.id != 0 && !gone(place.id, place.value)) {
                rest.insert(place.id, std::move(place.value));
            }
        }
        *this = std::move(rest);
    }

    void clear() {
        places_.reset();
        capacity_ = size_ = displaced_ = 0;
    }

    PacketIdMap() = default;
    PacketIdMap(PacketIdMap&& other) noexcept
        : places_(std::move(other.places_)),
          capacity_(std::exchange(other.capacity_, 0)),
          size_(std::exchange(other.size_, 0)),
          displaced_(std::exchange(other.displaced_, 0)) {}
    PacketIdMap& operator=(PacketIdMap&& other) noexcept {
        places_ = std::move(other.places_);
        capacity_ = std::exchange(other.capacity_, 0);
        size_ = std::exchange(other.size_, 0);
        displaced_ = std::exchange(other.displaced_, 0);
        return *this;
    }

 private:
    struct Place {
        T value{};
        uint16_t id = 0;
    };
    static constexpr size_t kKept = 64;  // places; more are given back when it is empty

    [[nodiscard]] size_t mask() const { return capacity_ - 1; }
    Place& put(Place&& place) {
        size_t at = place.id & mask();
        if (places_[at].id != 0) ++displaced_;
        while (places_[at].id != 0) at = (at + 1) & mask();
        return places_[at] = std::move(place);
    }
    // Those behind that would be looked for from the hole on move up, and the hole with them.
    void close_gap(size_t& hole) {
        for (size_t at = (hole + 1) & mask(); places_[at].id != 0; at = (at + 1) & mask()) {
            const size_t wanted = places_[at].id & mask();
            if (((at - wanted) & mask()) < ((at - hole) & mask())) continue;
            if (hole == wanted) --displaced_;
            places_[hole] = std::move(places_[at]);
            hole = at;
        }
    }
    void grow() {
        const size_t before = capacity_;
        const auto old = std::move(places_);
        capacity_ = before == 0 ? 8 : before * 2;
        displaced_ = 0;
        places_ = std::make_unique<Place[]>(capacity_);
        for (size_t i = 0; i < before; ++i) {
            if (old[i].id != 0) put(std::move(old[i]));
        }
    }

    std::unique_ptr<Place[]> places_;
    uint32_t capacity_ = 0;  // a power of two; 131,072 at most: two places for each id
    uint32_t size_ = 0;
    uint32_t displaced_ = 0;  // not in the place of their id: while there are none, all is simple
};

}  // namespace trestle
