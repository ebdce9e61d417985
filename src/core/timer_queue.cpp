#include "core/timer_queue.h"

namespace trestle {

void Timer::set(uint64_t due_ms) {
    cancel();
    due_ms_ = due_ms;
    queue_->insert(*this);
}

void Timer::cancel() {
    if (is_set()) queue_->remove(*this);
}

void TimerQueue::put(uint32_t place, Entry entry) {
    heap_[place] = entry;
    entry.timer->place_ = place;
}

void TimerQueue::up(uint32_t place) {
    const Entry entry = heap_[place];
    while (place > 0) {
        const uint32_t parent = (place - 1) / 2;
        if (heap_[parent].due_ms <= entry.due_ms) break;
        put(place, heap_[parent]);
        place = parent;
    }
    put(place, entry);
}

void TimerQueue::down(uint32_t place) {
    const Entry entry = heap_[place];
    const auto size = static_cast<uint32_t>(heap_.size());
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= size) break;
        if (child + 1 < size && heap_[child + 1].due_ms < heap_[child].due_ms) ++child;
        if (heap_[child].due_ms >= entry.due_ms) break;
        put(place, heap_[child]);
        place = child;
    }
    put(place, entry);
}

void TimerQueue::insert(Timer& timer) {
    const uint64_t before = next_due_ms();
    heap_.push_back({timer.due_ms_, &timer});
    up(static_cast<uint32_t>(heap_.size()) - 1);
    if (timer.due_ms_ < before && earlier_ != nullptr) earlier_(earlier_owner_);
}

void TimerQueue::remove(Timer& timer) {
    const uint32_t place = timer.place_;
    timer.place_ = Timer::kNowhere;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (last.timer == &timer) return;
    put(place, last);
    up(place);
    down(last.timer->place_);
}

void TimerQueue::run(uint64_t now_ms) {
    while (!heap_.empty() && heap_[0].due_ms <= now_ms) {
        Timer& timer = *heap_[0].timer;
        remove(timer);
        timer.callback_(timer.owner_);
    }
}

}  // namespace trestle
