// A queue in one block of memory that holds none while it is empty for long (`shrink`), grows by
// doubling, and can be indexed from the front. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace trestle {

template <class T>
class Ring {
 public:
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] size_t size() const { return size_; }
    T& operator[](size_t i) { return slots_[(head_ + i) & (capacity_ - 1)]; }
    const T& operator[](size_t i) const { return slots_[(head_ + i) & (capacity_ - 1)]; }
    T& front() { return (*this)[0]; }
    T& back() { return (*this)[size_ - 1]; }

    void push_back(T value) {
        if (size_ == capacity_) grow();
        slots_[(head_ + size_) & (capacity_ - 1)] = std::move(value);
        ++size_;
    }
    void push_front(T value) {
        if (size_ == capacity_) grow();
        head_ = (head_ + capacity_ - 1) & (capacity_ - 1);
        slots_[head_] = std::move(value);
        ++size_;
    }
    T pop_front() {
        T value = std::exchange(slots_[head_], T{});
        head_ = (head_ + 1) & (capacity_ - 1);
        --size_;
        return value;
    }
    T pop_back() {
        --size_;
        return std::exchange(slots_[(head_ + size_) & (capacity_ - 1)], T{});
    }
    void clear() {
        slots_.reset();
        head_ = size_ = capacity_ = 0;
    }
    /// Gives the memory back when there is nothing in it.
    void shrink() {
        if (size_ == 0) clear();
    }

 private:
    void grow() {
        const size_t larger = capacity_ == 0 ? 4 : capacity_ * 2;
        std::unique_ptr<T[]> slots(new T[larger]);
        for (size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
        slots_ = std::move(slots);
        head_ = 0;
        capacity_ = larger;
    }

    std::unique_ptr<T[]> slots_;
    size_t head_ = 0, size_ = 0, capacity_ = 0;
};

}  // namespace trestle
