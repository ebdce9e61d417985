#include "plugin_api/shard.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <optional>

namespace trestle {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

thread_local Shard* current_shard = nullptr;

uint64_t steady_ms() {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch())
            .count());
}

constexpr auto kLagInterval = std::chrono::milliseconds(500);
// A turn of this is some ten milliseconds; less would split what is best written at once. When it
// is used up, who has not had a turn yet still gets a little.
constexpr uint64_t kWorkPerTurn = 100'000;
constexpr uint64_t kLeastWork = 2'000;

// On its way from one shard to another; above it, the first one stops reading. What goes round
// between the two stays in their caches: 16 MiB instead cost twice as much for messages of 1 KiB.
constexpr size_t kLaneBytes = 512 * 1024;
constexpr size_t kSpareBytes = 2 * kLaneBytes;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

/// Messages from one shard to another, in pieces that go round between the two.
struct Shard::Lane {
    std::mutex mutex;
    std::vector<HandOver> waiting;  // filled by the one, taken by the other, all at once
    std::vector<HandOver> spare;    // read by the other, to be filled again
    size_t waiting_bytes = 0;
    size_t spare_bytes = 0;     // of memory
    bool announced = false;     // the receiver has been told and has not come yet
    bool sender_waits = false;  // the sender has stopped reading until this is empty

    /// Takes what `filled` holds and leaves an empty one.
    void put(HandOver& filled) {
        waiting_bytes += filled.size();
        waiting.push_back(std::move(filled));
        filled = HandOver();
        if (spare.empty()) return;
        filled = std::move(spare.back());
        spare.pop_back();
        spare_bytes -= filled.capacity();
    }
    /// After they have been read.
    void give_back(std::vector<HandOver>& read) {
        for (HandOver& one : read) {
            if (spare_bytes + one.capacity() > kSpareBytes) continue;
            spare_bytes += one.capacity();
            one.clear();
            spare.push_back(std::move(one));
        }
        read.clear();
    }
};

struct Shard::Impl final : TurnTask {
    explicit Impl(Shard& owner)
        : shard(owner), work(owner.io_.get_executor()), timer(owner.io_), lag_timer(owner.io_) {}
    void end_of_turn() override { shard.carry_all(); }

    Shard& shard;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    asio::steady_timer timer;
    asio::steady_timer lag_timer;
    uint64_t armed_ms = TimerQueue::kNothing;
    std::vector<Shard*> all;
    std::vector<std::unique_ptr<Lane>> inbound;  // by sending shard
    std::vector<HandOver> receiving;
    std::vector<bool> full;  // lanes, by receiving shard, that hold too much
    size_t full_lanes = 0;
    std::vector<std::function<void()>> when_clear;
};

Shard::Shard(Hub& hub, ShardIndex index)
    : index_(index),
      hub_(hub, index, *this, timers_, *this),
      read_buffer_(new char[kReadBuffer]),
      io_(1),
      impl_(std::make_unique<Impl>(*this)),
      lag_due_ns_(kNever) {
    touch_clock();
    timers_.on_earlier([](void* self) { static_cast<Shard*>(self)->arm_timer(); }, this);
}

Shard::~Shard() = default;

Shard* Shard::current() { return current_shard; }

void Shard::touch_clock() { hub_.set_now(steady_ms()); }

void Shard::post(std::function<void()> work) {
    asio::post(io_, [this, work = std::move(work)] {
        touch_clock();
        work();
    });
}

void Shard::run() {
    current_shard = this;
    touch_clock();
    measure_lag();
    io_.run();
    lag_due_ns_.store(kNever, std::memory_order_relaxed);
    current_shard = nullptr;
}

bool Shard::run_pending() {
    current_shard = this;
    io_.restart();
    const size_t handlers = io_.poll();
    current_shard = nullptr;
    return handlers != 0;
}

void Shard::stop() {
    asio::post(io_, [this] {
        impl_->work.reset();
        io_.stop();
    });
}

void Shard::at_end_of_turn(TurnTask& task) {
    if (task.queued_) return;
    task.queued_ = true;
    task.place_ = turn_tasks_.size();
    turn_tasks_.push_back(&task);
    if (turn_end_posted_) return;
    turn_end_posted_ = true;
    // Runs after every handler that is ready now.
    asio::post(io_, [this] { end_turn(); });
}

void Shard::cancel_end_of_turn(TurnTask& task) {
    if (!task.queued_) return;
    task.queued_ = false;
    turn_tasks_[task.place_] = nullptr;
}

uint64_t Shard::work_left() const {
    const uint64_t done = hub_.work() - work_before_turn_;
    return done + kLeastWork < kWorkPerTurn ? kWorkPerTurn - done : kLeastWork;
}

void Shard::end_turn() {
    work_before_turn_ = hub_.work();
    // What tasks queue meanwhile (a drained stream lets its session send more) belongs to the next
    // turn, so that one busy connection cannot hold up the others.
    const size_t due = turn_tasks_.size();
    for (size_t i = 0; i < due; ++i) {
        TurnTask* task = turn_tasks_[i];
        if (task == nullptr) continue;
        task->queued_ = false;
        turn_tasks_[i] = nullptr;
        task->end_of_turn();
    }
    turn_tasks_.erase(turn_tasks_.begin(), turn_tasks_.begin() + static_cast<ptrdiff_t>(due));
    for (size_t i = 0; i < turn_tasks_.size(); ++i) {
        if (turn_tasks_[i] != nullptr) turn_tasks_[i]->place_ = i;
    }
    turn_end_posted_ = !turn_tasks_.empty();
    if (turn_end_posted_) asio::post(io_, [this] { end_turn(); });
}

void Shard::arm_timer() {
    const uint64_t due = timers_.next_due_ms();
    if (due == TimerQueue::kNothing || due >= impl_->armed_ms) return;
    impl_->armed_ms = due;
    impl_->timer.expires_at(Clock::time_point(std::chrono::milliseconds(due)));
    impl_->timer.async_wait([this](boost::system::error_code error) {
        if (!error) timer_fired();
    });
}

void Shard::timer_fired() {
    impl_->armed_ms = TimerQueue::kNothing;
    touch_clock();
    timers_.run(now_ms());
    arm_timer();
}

double Shard::lag_seconds() const {
    const auto due =
        Clock::time_point(std::chrono::nanoseconds(lag_due_ns_.load(std::memory_order_relaxed)));
    const std::chrono::duration<double> waits = Clock::now() - due;
    return std::max(lag_.load(std::memory_order_relaxed), waits.count());
}

void Shard::measure_lag() {
    const auto due = Clock::now() + kLagInterval;
    lag_due_ns_.store(std::chrono::nanoseconds(due.time_since_epoch()).count(),
                      std::memory_order_relaxed);
    impl_->lag_timer.expires_at(due);
    impl_->lag_timer.async_wait([this, due](boost::system::error_code error) {
        if (error) return;
        touch_clock();  // an idle shard's clock is this old at most
        lag_.store(std::chrono::duration<double>(Clock::now() - due).count(),
                   std::memory_order_relaxed);
        measure_lag();
    });
}

void Shard::connect(std::vector<Shard*> all) {
    impl_->all = std::move(all);
    impl_->full.assign(impl_->all.size(), false);
    for (size_t i = 0; i < impl_->all.size(); ++i) {
        impl_->inbound.push_back(std::make_unique<Lane>());
    }
}

void Shard::carry_soon() { at_end_of_turn(*impl_); }

void Shard::carry_all() {
    for (size_t to = 0; to < impl_->all.size(); ++to) carry(static_cast<ShardIndex>(to));
    hub_.outgoing_taken();
}

void Shard::carry(ShardIndex to) {
    HandOver& filled = hub_.outgoing()[to];
    if (filled.empty()) return;
    Shard& receiver = *impl_->all[to];
    Lane& lane = *receiver.impl_->inbound[index_];
    bool announce = false;
    bool full = false;
    {
        const std::lock_guard guard(lane.mutex);
        lane.put(filled);
        announce = !std::exchange(lane.announced, true);
        full = lane.waiting_bytes > kLaneBytes;
        lane.sender_waits = full;
    }
    if (full && !impl_->full[to]) {
        impl_->full[to] = true;
        ++impl_->full_lanes;
    }
    if (announce) asio::post(receiver.io_, [&receiver, this] { receiver.take_from(*this); });
}

void Shard::take_from(Shard& sender) {
    touch_clock();
    Lane& lane = *impl_->inbound[sender.index_];
    auto& received = impl_->receiving;
    bool sender_waits = false;
    {
        const std::lock_guard guard(lane.mutex);
        std::swap(received, lane.waiting);
        lane.waiting_bytes = 0;
        lane.announced = false;
        sender_waits = std::exchange(lane.sender_waits, false);
    }
    if (sender_waits) sender.post([&sender, to = index_] { sender.lane_cleared(to); });
    for (const HandOver& one : received) hub_.take_over(one);
    const std::lock_guard guard(lane.mutex);
    lane.give_back(received);
}

bool Shard::congested() const { return impl_->full_lanes != 0; }

void Shard::when_clear(std::function<void()> work) { impl_->when_clear.push_back(std::move(work)); }

void Shard::lane_cleared(ShardIndex to) {
    if (!impl_->full[to]) return;
    impl_->full[to] = false;
    if (--impl_->full_lanes != 0) return;
    auto waiting = std::exchange(impl_->when_clear, {});
    for (auto& work : waiting) work();
}

}  // namespace trestle
