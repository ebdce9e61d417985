// A byte stream without a socket: the test plays the peer. What happens to it is written on a board
// that the test waits at.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "plugin_api/net.h"

namespace trestle::test {

/// Filled on shards' threads, read by the test.
struct Board {
    std::mutex mutex;
    std::condition_variable changed;
    std::string received;    // by the handler
    std::string written;     // by the stream
    std::string closed_why;  // as the handler was told
    int closed = 0;
    int drained = 0;
    int pauses = 0;
    int resumes = 0;
    int destroyed = 0;
    bool destroyed_at_home = false;
    bool congested = false;

    template <class F>
    void note(F f) {
        const std::lock_guard lock(mutex);
        f(*this);
        changed.notify_all();
    }
    template <class T>
    T look(T Board::*field) {
        const std::lock_guard lock(mutex);
        return this->*field;
    }
    /// False when it has not come true in time.
    template <class F>
    bool wait(F f) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), [&] { return f(*this); });
    }
};

class FakeStream final : public ByteStream {
 public:
    FakeStream(Shard& shard, Board& board)
        : ByteStream(shard, PeerInfo{"10.0.0.1:1", false}), board_(board) {}
    ~FakeStream() override {
        *life_ = nullptr;
        shard_->cancel_end_of_turn(*this);
        const bool home = shard_->is_current();
        board_.note([&](Board& b) {
            ++b.destroyed;
            b.destroyed_at_home = home;
        });
    }

    // The peer's side; on the shard.
    void feed(std::string_view bytes) {
        unread_ += bytes;
        pump();
    }
    void block_writes() { blocked_ = true; }
    void unblock_writes() {
        blocked_ = false;
        end_of_turn();
    }
    void peer_closes() { finish("closed by the peer"); }
    std::shared_ptr<FakeStream*> life() { return life_; }

    void start(ByteStreamHandler& handler) override {
        handler_ = &handler;
        pump();
    }
    void pause_reading() override {
        paused_ = true;
        board_.note([](Board& b) { ++b.pauses; });
    }
    void resume_reading() override {
        paused_ = false;
        board_.note([](Board& b) { ++b.resumes; });
        shard_->post([life = life_] {
            if (*life != nullptr) (*life)->pump();
        });
    }
    void close() override {
        closing_ = true;
        output();
    }
    void abort(std::string_view why) override {
        output_.clear();
        finish(std::string(why));
    }
    void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override {
        handler_ = nullptr;
        moved_ = giving_;
        make_remote_stream(std::move(self), unread, target, std::move(arrived));
    }

 private:
    void pump() {
        if (paused_ || giving_ || handler_ == nullptr || unread_.empty()) return;
        giving_ = true;
        const std::string bytes = std::exchange(unread_, {});
        const auto life = life_;
        const size_t used = handler_->on_bytes(bytes);
        if (*life == nullptr) return;
        giving_ = false;
        if (!std::exchange(moved_, false)) unread_.insert(0, bytes.substr(used));
    }
    void end_of_turn() override {
        flush_due_ = false;
        if (congested()) was_congested_ = true;
        if (!blocked_) {
            board_.note([&](Board& b) { b.written += output_.view(); });
            output_.clear();
            if (closing_) return finish("closed");
        }
        if (was_congested_ && backlog() <= high_water_ / 2) {
            was_congested_ = false;
            handler_->on_output_drained();
        }
    }
    void finish(std::string why) {
        if (std::exchange(finished_, true)) return;
        shard_->post([life = life_, why = std::move(why)] {
            if (*life != nullptr) (*life)->handler_->on_closed(why);
        });
    }

    Board& board_;
    std::shared_ptr<FakeStream*> life_ = std::make_shared<FakeStream*>(this);
    ByteStreamHandler* handler_ = nullptr;
    std::string unread_;
    bool giving_ = false;
    bool moved_ = false;
    bool paused_ = false;
    bool blocked_ = false;
    bool closing_ = false;
    bool finished_ = false;
    bool was_congested_ = false;
};

}  // namespace trestle::test
