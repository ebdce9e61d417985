// A byte stream without a socket, for counting instructions: what is fed arrives at once, what is
// written is gone at the end of the turn. Used on one shard, which the program drives by hand.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugin_api/byte_stream.h"

namespace trestle::bench {

class MemoryStream final : public ByteStream {
 public:
    explicit MemoryStream(Shard& shard) : ByteStream(shard, PeerInfo{"memory", true}) {}
    ~MemoryStream() override { shard_->cancel_end_of_turn(*this); }

    /// Whole packets only.
    void feed(std::string_view bytes) { handler_->on_bytes(bytes); }
    [[nodiscard]] size_t written() const { return written_; }

    void start(ByteStreamHandler& handler) override { handler_ = &handler; }
    void pause_reading() override {}
    void resume_reading() override {}
    void close() override { abort("closed"); }
    void abort(std::string_view why) override { handler_->on_closed(why); }
    void move_to(std::unique_ptr<ByteStream> /*self*/, Shard& /*target*/,
                 std::string_view /*unread*/,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override {
        arrived(nullptr);
    }

 private:
    void end_of_turn() override {
        flush_due_ = false;
        written_ += output_.size();
        shard_->buffers().give(std::exchange(output_, OutBuffer()));
        if (take_drained()) handler_->on_output_drained();
    }

    ByteStreamHandler* handler_ = nullptr;
    size_t written_ = 0;
};

}  // namespace trestle::bench
