// A shard: one thread, one io_context, and everything it owns.
//
// The host makes the shards; plugins are given references that stay valid until the program ends.
// Except for `post` and `index`, a shard's members are used on its own thread only. Asio is
// compiled once, in libtrestle: plugins use it through this io_context and never bring their own
// copy.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/counters.h"
#include "core/executor.h"
#include "core/hub.h"
#include "core/timer_queue.h"
#include "plugin_api/out_buffer_pool.h"

namespace trestle {

/// Work that is due once at the end of the current turn of the loop: writing out what has gathered,
/// draining a socket that may have swallowed its event. Embedded in its owner.
class TurnTask {
 public:
    virtual void end_of_turn() = 0;

 protected:
    TurnTask() = default;
    TurnTask(const TurnTask&) = delete;
    virtual ~TurnTask() = default;

 private:
    friend class Shard;
    bool queued_ = false;
    size_t place_ = 0;
};

class Shard final : public Executor, private HubShard::Carrier {
 public:
    Shard(Hub& hub, ShardIndex index);
    ~Shard() override;

    [[nodiscard]] ShardIndex index() const { return index_; }
    boost::asio::io_context& io() { return io_; }
    HubShard& hub() { return hub_; }
    TimerQueue& timers() { return timers_; }
    OutBufferPool& buffers() { return buffers_; }
    /// Where streams read into: one buffer per shard, valid until the reading handler returns.
    [[nodiscard]] char* read_buffer() { return read_buffer_.get(); }
    static constexpr size_t kReadBuffer = 128 * 1024;

    /// Milliseconds of the steady clock when this turn began (or since `touch_clock`).
    [[nodiscard]] uint64_t now_ms() const { return hub_.now_ms(); }
    void touch_clock();

    void post(std::function<void()> work) override;
    /// Runs `task.end_of_turn()` once when this turn's handlers are through.
    void at_end_of_turn(TurnTask& task);
    void cancel_end_of_turn(TurnTask& task);

    /// How much may be done for one connection now (HubShard::work) before the others have their
    /// turn. What is left of its bytes then waits for the end of this turn.
    [[nodiscard]] uint64_t work_left() const;

    /// True on the thread that runs this shard.
    [[nodiscard]] bool is_current() const { return current() == this; }
    /// The shard whose thread this is; null on the main thread.
    static Shard* current();

    /// True while another shard is too far behind with this one's messages: sources of messages
    /// stop reading until `when_clear` calls them. Shards never wait for each other.
    [[nodiscard]] bool congested() const;
    /// Runs `work` once when the congestion is over. Only while `congested()`.
    void when_clear(std::function<void()> work);

    // For the runtime only.

    /// Runs until `stop`; the calling thread becomes this shard's.
    void run();
    void stop();
    /// After `stop`, on the thread that joined this shard's: runs what is still posted. False when
    /// there was nothing.
    bool run_pending();
    /// Where the shard's own messages for other shards go.
    void connect(std::vector<Shard*> all);
    /// Seconds that the last measured handler waited before it ran, or that the next one waits
    /// already. From any thread.
    [[nodiscard]] double lag_seconds() const;

 private:
    struct Lane;
    void end_turn();
    void arm_timer();
    void timer_fired();
    void carry_soon() override;
    void carry(ShardIndex to) override;
    void carry_all();
    void take_from(Shard& sender);
    void lane_cleared(ShardIndex to);
    void measure_lag();

    ShardIndex index_;
    TimerQueue timers_;
    HubShard hub_;
    OutBufferPool buffers_;
    std::unique_ptr<char[]> read_buffer_;
    std::vector<TurnTask*> turn_tasks_;
    bool turn_end_posted_ = false;
    uint64_t work_before_turn_ = 0;
    // Below what the handlers use that it destroys unrun: streams among them give back buffers.
    boost::asio::io_context io_;
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::atomic<double> lag_{0};       // seconds, as measured last
    std::atomic<int64_t> lag_due_ns_;  // when it is measured next, on the steady clock
};

}  // namespace trestle
