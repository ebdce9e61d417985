// A connected, ordered, two-way stream of bytes: a TCP or unix socket, a WebSocket's binary
// messages, later TLS. Protocols over byte streams (MQTT) know this and nothing of sockets.
//
// A stream lives on one shard, with its handler. Bytes to be written are appended to `output()`;
// they leave once per turn of the loop, all together. There is no copy and no call per packet.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/out_buffer.h"
#include "plugin_api/shard.h"

namespace trestle {

/// Who reads a stream. Called on the stream's shard only.
class ByteStreamHandler {
 public:
    virtual ~ByteStreamHandler() = default;
    /// Bytes have arrived: what was left over last time, followed by what is new. Returns how many
    /// were consumed; the stream keeps the rest and gives it again, in front of what comes next.
    /// The view is gone after the call. The handler may close or abort the stream inside, but not
    /// destroy it.
    virtual size_t on_bytes(std::string_view bytes) = 0;
    /// The output, that had grown beyond `high_water`, has fallen below half of it.
    virtual void on_output_drained() {}
    /// The peer has gone, or the stream was closed or failed (`why` is for the log). The last call;
    /// the stream may be destroyed in it.
    virtual void on_closed(std::string_view why) = 0;
};

/// The other side, for logs and limits.
struct PeerInfo {
    std::string address;  ///< "127.0.0.1:40312", "unix"
    bool loopback = false;
};

class ByteStream : protected TurnTask {
 public:
    ByteStream(Shard& shard, PeerInfo peer) : shard_(&shard), peer_(std::move(peer)) {}
    virtual ~ByteStream() = default;

    /// Begins to read. The handler outlives the stream or the call of its `on_closed`.
    virtual void start(ByteStreamHandler& handler) = 0;
    /// Where to append bytes; they are sent at the end of the turn.
    OutBuffer& output() {
        if (!flush_due_) schedule_flush();
        return output_;
    }
    /// Bytes that wait to be written, with those that a write in progress has taken.
    [[nodiscard]] size_t backlog() const { return output_.size() + in_flight_; }
    /// More is waiting than the high-water mark. Whoever was told so hears of the end of it by
    /// `on_output_drained`.
    [[nodiscard]] bool congested() {
        const bool above = backlog() > high_water_;
        told_congested_ |= above;
        return above;
    }
    void set_high_water(size_t bytes) { high_water_ = bytes; }

    /// Writes a large backlog now instead of at the end of the turn; a small one stays.
    virtual void flush_now() {}
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;
    /// Writes what is waiting (for a few seconds at most), closes, then calls `on_closed`, always
    /// later.
    virtual void close() = 0;
    /// Drops what is waiting and closes; `on_closed` follows, later.
    virtual void abort(std::string_view why) = 0;

    /// Moves the stream to another shard; called from inside `on_bytes` or before `start`. The
    /// stream lets go of its handler at once; the bytes from `unread` on (of the view given to
    /// `on_bytes`) are given to the next one. `arrived` runs on the target's thread with the stream
    /// that takes this one's place (null when it was lost on the way). `self` is this stream's
    /// owner giving it up. A socket's descriptor moves; a stream that cannot move stays and is
    /// reached by mailbox.
    virtual void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                         std::function<void(std::unique_ptr<ByteStream>)> arrived) = 0;

    [[nodiscard]] Shard& shard() const { return *shard_; }
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }

 protected:
    void schedule_flush() {
        flush_due_ = true;
        if (output_.capacity() == 0) output_ = shard_->buffers().take();
        shard_->at_end_of_turn(*this);
    }
    OutBuffer output_;
    size_t in_flight_ = 0;  ///< taken out of `output_`, not written yet
    bool flush_due_ = false;
    /// True once, when the backlog has fallen far enough after somebody was told of congestion.
    bool take_drained() {
        return told_congested_ && backlog() <= high_water_ / 2 &&
               std::exchange(told_congested_, false);
    }
    size_t high_water_ = 1u << 20;
    bool told_congested_ = false;
    Shard* shard_;
    PeerInfo peer_;
};

/// A protocol over byte streams that a plugin offers by name ("mqtt"). `websocket` asks the host
/// for the one that client and config agree on.
class ByteStreamProtocol {
 public:
    virtual ~ByteStreamProtocol() = default;
    /// Takes over a fresh connection of the given endpoint. Called on the stream's shard.
    virtual void serve(std::unique_ptr<ByteStream> stream) = 0;
    /// Says goodbye on every stream that it serves (MQTT: DISCONNECT 0x8B), flushes and closes
    /// them, and aborts what is left at `deadline_ms` (steady clock). Streams served later are
    /// turned away in the same manner. Called once, on the endpoint's home shard; `done` runs on
    /// any thread when no stream is left.
    virtual void stop(uint64_t deadline_ms, std::function<void()> done) = 0;
    /// The deadline of the `stop` under way is now. On the endpoint's home shard.
    virtual void cut_short() {}
};

}  // namespace trestle
