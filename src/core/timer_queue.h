// Timers of one shard: a binary heap of due times. No thread, no clock of its own: the shard asks
// for the next due time and runs what is due. Setting, moving and cancelling cost O(log n); a timer
// that is checked lazily (keep-alive) costs nothing per message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trestle {

class TimerQueue;

/// Embedded in whoever waits; cancels itself when destroyed. Used on its shard only.
class Timer {
 public:
    using Callback = void (*)(void* owner);

    Timer(TimerQueue& queue, Callback callback, void* owner)
        : queue_(&queue), callback_(callback), owner_(owner) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Fires once at `due_ms` (steady clock); replaces an earlier setting.
    void set(uint64_t due_ms);
    void cancel();
    [[nodiscard]] bool is_set() const { return place_ != kNowhere; }
    [[nodiscard]] uint64_t due_ms() const { return due_ms_; }

 private:
    friend class TimerQueue;
    static constexpr uint32_t kNowhere = UINT32_MAX;
    TimerQueue* queue_;
    Callback callback_;
    void* owner_;
    uint64_t due_ms_ = 0;
    uint32_t place_ = kNowhere;
};

class TimerQueue {
 public:
    static constexpr uint64_t kNothing = UINT64_MAX;

    [[nodiscard]] uint64_t next_due_ms() const {
        return heap_.empty() ? kNothing : heap_[0].due_ms;
    }
    /// Runs what is due; timers may be set and cancelled meanwhile.
    void run(uint64_t now_ms);
    /// Called when the earliest due time became earlier, so that the shard can wake up in time.
    void on_earlier(void (*callback)(void*), void* owner) {
        earlier_ = callback;
        earlier_owner_ = owner;
    }
    [[nodiscard]] size_t size() const { return heap_.size(); }

 private:
    friend class Timer;
    struct Entry {
        uint64_t due_ms;
        Timer* timer;
    };
    void put(uint32_t place, Entry entry);
    void up(uint32_t place);
    void down(uint32_t place);
    void insert(Timer& timer);
    void remove(Timer& timer);

    std::vector<Entry> heap_;
    void (*earlier_)(void*) = nullptr;
    void* earlier_owner_ = nullptr;
};

}  // namespace trestle
