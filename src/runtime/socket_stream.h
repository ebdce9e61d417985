// A byte stream over a connected TCP or unix socket: readiness from Asio, bytes by plain recv and
// send.
//
// It reads into the shard's one buffer and holds nothing of its own while it is idle; what a
// handler leaves over (an incomplete packet) is kept in `rest_` until more arrives.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "core/timer_queue.h"
#include "plugin_api/net.h"

namespace trestle {

class SocketStream final : public ByteStream {
 public:
    SocketStream(Shard& shard, Accepted accepted, std::string_view rest);
    ~SocketStream() override;

    void start(ByteStreamHandler& handler) override;
    void flush_now() override;
    void pause_reading() override;
    void resume_reading() override;
    void close() override;
    void abort(std::string_view why) override;
    void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override;

 private:
    /// Survives the stream, for completions that come too late.
    struct Life {
        SocketStream* stream;
    };
    enum class State : uint8_t { open, closing, lingering, closed };

    void end_of_turn() override;
    void arm_read();
    void arm_write();
    void give_rest_first();
    void readable();
    void give(std::string_view bytes);
    void give_rest();
    void keep_rest(std::string_view rest);
    void write_some();
    void write_and_tell();
    void written_out();
    void linger();
    void fail(std::string_view why);
    void report(std::string why);

    boost::asio::posix::stream_descriptor descriptor_;
    std::shared_ptr<Life> life_;
    ByteStreamHandler* handler_ = nullptr;
    OutBuffer rest_;  // read, and left over by the handler
    Timer close_timer_;
    size_t flushed_ = 0;  // by `flush_now`, in this turn
    State state_ = State::open;
    bool telling_drained_ = false;
    bool paused_ = false;
    bool reading_ = false;
    bool writing_ = false;
};

}  // namespace trestle
