// One WebSocket after its handshake, over any byte stream: the rules of framing, control frames,
// pings, and the ways in which it ends. What the messages hold is its user's affair.
//
// Owned by its user, which it calls on the stream's shard only. Reads as much as the stream gives
// at once, and what is too much work for one turn of the shard goes on in a later one; a read of
// many small messages costs one call of the system. A breach by the peer closes the connection with
// the code that RFC 6455 has for it, and is counted by kind.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/counters.h"
#include "core/timer_queue.h"
#include "plugin_api/byte_stream.h"
#include "websocket/frames.h"

namespace trestle::websocket {

/// One of `max_connections`, as long as it lives.
class Slot {
 public:
    explicit Slot(std::shared_ptr<std::atomic<uint32_t>> taken) : taken_(std::move(taken)) {}
    Slot(Slot&&) noexcept = default;
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
        if (taken_) taken_->fetch_sub(1, std::memory_order_relaxed);
    }

 private:
    std::shared_ptr<std::atomic<uint32_t>> taken_;
};

/// What all connections of an endpoint have in common.
struct ConnectionRules {
    uint64_t handshake_timeout_ms = 10'000;
    uint64_t ping_interval_ms = 0;
    // Breaches by peers.
    Counter* text_frames = nullptr;  ///< where only binary ones are taken
    Counter* too_large = nullptr;
    Counter* bad_frames = nullptr;
    Counter* bad_text = nullptr;
    Counter* silent = nullptr;  ///< a ping went unanswered
};

/// Who uses a connection. Called on its shard only.
class ConnectionUser {
 public:
    virtual ~ConnectionUser() = default;
    /// As a stream: what was left over last time and what is new. Returns how much was consumed.
    virtual size_t on_data(std::string_view bytes) { return bytes.size(); }
    /// As messages: one has come whole; text is UTF-8. The view is gone after the call. The user
    /// may close, abort or pause the connection inside, but not destroy it.
    virtual void on_message(std::string_view message, bool is_text) {
        (void)message, (void)is_text;
    }
    /// The peer ends the connection, or broke it: what is sent inside still goes out.
    virtual void on_ending() {}
    /// The output, that was `congested`, has fallen below half of the high water.
    virtual void on_drained() = 0;
    /// The last call, always later than what caused it; the connection may be destroyed in it.
    virtual void on_closed(std::string_view why) = 0;
};

/// How its messages are given to the user.
struct Delivers {
    bool as_stream = true;     ///< binary ones only, wherever they begin and end
    uint64_t max_message = 0;  ///< bytes of one, after decompression
    int deflate_window = 0;    ///< 0: none is compressed; not for a stream
};

class Connection final : public ByteStreamHandler, private TurnTask {
 public:
    Connection(std::unique_ptr<ByteStream> stream, std::shared_ptr<const ConnectionRules> rules,
               Slot slot, Delivers delivers);
    ~Connection() override;

    /// Begins to read, or goes on with another user.
    void start(ConnectionUser& user);

    /// A whole message or ping; nothing once it is closing.
    void send(Opcode opcode, std::string_view payload);
    [[nodiscard]] bool congested() { return stream_->congested(); }
    [[nodiscard]] size_t backlog() const { return stream_->backlog(); }
    void set_high_water(size_t bytes) { stream_->set_high_water(bytes); }
    void flush_now() { stream_->flush_now(); }

    void pause();
    void resume();
    /// Sends what is waiting and shakes hands; `on_closed` follows.
    void close(CloseCode code, std::string_view reason, std::string why);
    /// Drops what is waiting and resets the connection; `on_closed` follows.
    void abort(std::string_view why);

    [[nodiscard]] Shard& shard() const { return stream_->shard(); }
    [[nodiscard]] const PeerInfo& peer() const { return stream_->peer(); }
    [[nodiscard]] bool is_open() const { return state_ == State::open; }

    size_t on_bytes(std::string_view bytes) override;
    void on_output_drained() override;
    void on_closed(std::string_view why) override;

 private:
    /// closing: our close frame is out, the peer's has not come; ending: nothing is read any more.
    enum class State : uint8_t { open, closing, ending };

    size_t take_header(std::string_view bytes);
    size_t take_payload(std::string_view bytes);
    void frame_ends();
    void control_ends();
    void answer_ping();
    void message_ends();
    void give_message(std::string_view message);
    void give_data();
    void wait_for_turn();
    void end_of_turn() override;
    void read_on();
    [[nodiscard]] bool reads() const { return state_ != State::ending && !paused_ && !busy_; }
    [[nodiscard]] bool is_text() const { return message_opcode_ == Opcode::text; }
    void fail(CloseCode code, std::string why, Counter* counter);
    void end(CloseCode code, std::string_view reason, std::string why);
    void time_is_up();
    void set_ping_timer();

    std::unique_ptr<ByteStream> stream_;
    std::shared_ptr<const ConnectionRules> rules_;
    Slot slot_;
    Delivers delivers_;
    ConnectionUser* user_ = nullptr;
    std::shared_ptr<Connection*> alive_;  // null once this is gone, for what was posted
    Timer timer_;                         // pings, then close
    FrameReader reader_;
    FrameHeader frame_;
    uint64_t left_ = 0;          // of the frame's payload
    uint64_t message_size_ = 0;  // of its frames so far, this one included
    OutBuffer input_;            // data that the user has not got; borrowed while there is some
    size_t checked_ = 0;         // of input_, known to be UTF-8
    std::string control_;
    std::optional<std::string> owed_pong_;  // until the output has room
    std::string why_;                       // why it ended
    size_t backlog_before_ = 0;
    Opcode message_opcode_ = Opcode::binary;
    State state_ = State::open;
    bool in_frame_ = false;
    bool message_compressed_ = false;
    bool started_ = false;
    // Nothing is read while one of them holds.
    bool paused_ = false;  // by the user
    bool busy_ = false;    // others have their turn first
    bool heard_ = false;   // the peer has shown life since the timer was set
    bool ping_sent_ = false;
};

}  // namespace trestle::websocket
