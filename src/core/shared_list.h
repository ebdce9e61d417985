// A list whose copies share what they have in common: to append, to replace one item or to remove
// the last one costs O(log n), however many copies there are, and none of them sees it.
//
// A tree of short rows: items at the bottom, above them rows of rows. A change copies the rows on
// the way down to it. What is shared is never written, so copies may be read on any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace trestle {

template <class T>
class SharedList {
 public:
    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] const T& operator[](size_t at) const {
        const Row* row = top_.get();
        for (unsigned shift = shift_; shift != 0; shift -= kBits) {
            row = row->rows[at >> shift & kMask].get();
        }
        return row->items[at & kMask];
    }
    void push_back(T item) {
        if (size_ == kWidth << shift_) {
            auto above = std::make_shared<Row>();
            above->rows.push_back(std::move(top_));
            top_ = std::move(above);
            shift_ += kBits;
        }
        top_ = with(top_.get(), shift_, size_, std::move(item));
        ++size_;
    }
    void set(size_t at, T item) { top_ = with(top_.get(), shift_, at, std::move(item)); }
    void pop_back() {
        top_ = without_last(*top_, shift_);
        --size_;
        if (shift_ != 0 && top_->rows.size() == 1) {
            top_ = RowPtr(top_->rows.front());
            shift_ -= kBits;
        }
    }

 private:
    struct Row;
    using RowPtr = std::shared_ptr<const Row>;
    struct Row {
        std::vector<T> items;      // at the bottom
        std::vector<RowPtr> rows;  // elsewhere
    };
    static constexpr unsigned kBits = 5;
    static constexpr size_t kWidth = size_t{1} << kBits;
    static constexpr size_t kMask = kWidth - 1;

    template <class Item>
    static void put(std::vector<Item>& copy, const std::vector<Item>* of, size_t at, Item item) {
        if (of != nullptr) {
            copy.reserve(of->size() + (at == of->size() ? 1 : 0));
            copy = *of;
        }
        if (at == copy.size()) {
            copy.push_back(std::move(item));
        } else {
            copy[at] = std::move(item);
        }
    }
    static RowPtr with(const Row* row, unsigned shift, size_t at, T&& item) {
        auto copy = std::make_shared<Row>();
        const size_t mine = at >> shift & kMask;
        if (shift == 0) {
            put(copy->items, row == nullptr ? nullptr : &row->items, mine, std::move(item));
            return copy;
        }
        const Row* below =
            row != nullptr && mine < row->rows.size() ? row->rows[mine].get() : nullptr;
        put(copy->rows, row == nullptr ? nullptr : &row->rows, mine,
            with(below, shift - kBits, at, std::move(item)));
        return copy;
    }
    /// Null when nothing is left.
    static RowPtr without_last(const Row& row, unsigned shift) {
        auto copy = std::make_shared<Row>();
        if (shift == 0) {
            copy->items.assign(row.items.begin(), row.items.end() - 1);
            return copy->items.empty() ? nullptr : copy;
        }
        auto below = without_last(*row.rows.back(), shift - kBits);
        copy->rows.assign(row.rows.begin(), row.rows.end() - 1);
        if (below != nullptr) copy->rows.push_back(std::move(below));
        return copy->rows.empty() ? nullptr : copy;
    }

    RowPtr top_;  // null when empty
    size_t size_ = 0;
    unsigned shift_ = 0;  // bits of a place below the top row's
};

}  // namespace trestle
