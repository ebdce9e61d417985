#include "websocket/stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cerrno>
#include <optional>

#include "plugin_api/net.h"

namespace trestle::websocket {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ws = boost::beast::websocket;
using ErrorCode = boost::system::error_code;

namespace {

constexpr uint64_t kCloseTimeMs = 5'000;       // to write what is left and to shake hands
constexpr uint64_t kLingerTimeMs = 1'000;      // for the peer to close, so that it can read it all
constexpr size_t kLargestMessage = 64 * 1024;  // of ours
constexpr size_t kIdleRead = 1536;             // what a silent connection holds, as Beast itself
constexpr size_t kBusyRead = 64 * 1024;
constexpr size_t kFlushAt = 256 * 1024;

/// The socket below the WebSocket: a type of its own, for the way it ends.
struct Wire : Socket {
    explicit Wire(Socket&& socket) : Socket(std::move(socket)) {}
};

/// Called by Beast when the closing handshake is through. Beast's own waits for the peer to close,
/// without an end; `Life::linger` does that with a time limit.
template <class Handler>
void async_teardown(beast::role_type, Wire& wire, Handler&& handler) {
    ErrorCode ignored;
    wire.shutdown(Socket::shutdown_send, ignored);
    asio::post(wire.get_executor(),
               beast::bind_front_handler(std::forward<Handler>(handler), ErrorCode{}));
}

class WebSocketStream;

/// What outlives the stream until its last operation has ended.
struct Life : std::enable_shared_from_this<Life> {
    Life(Shard& home, Socket&& connected, std::shared_ptr<const StreamRules> common, Slot&& place)
        : shard(home),
          socket(Wire(std::move(connected))),
          rules(std::move(common)),
          slot(std::move(place)),
          timer(
              home.timers(), [](void* self) { static_cast<Life*>(self)->time_is_up(); }, this) {}

    void time_is_up();
    void cut();
    void linger();
    void drain();

    Shard& shard;
    ws::stream<Wire, false> socket;
    std::shared_ptr<const StreamRules> rules;
    Slot slot;
    Timer timer;  // handshake, then pings, then close
    WebSocketStream* stream = nullptr;
    OutBuffer input;    // what the handler has left over, then room for the read in progress
    OutBuffer writing;  // what the write in progress sends
    bool lingering = false;
    bool heard = false;  // the peer has shown life since the timer was set
};
using LifePtr = std::shared_ptr<Life>;

class WebSocketStream final : public ByteStream {
 public:
    WebSocketStream(LifePtr life, PeerInfo peer);
    ~WebSocketStream() override;

    void start(ByteStreamHandler& handler) override;
    void flush_now() override;
    void pause_reading() override { paused_ = true; }
    void resume_reading() override;
    void close() override { close_with(ws::close_code::normal, "closed"); }
    void abort(std::string_view why) override;
    void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override;

    void time_is_up();

 private:
    enum class State : uint8_t { open, closing, closed };

    void end_of_turn() override;
    void arm_read();
    void on_read(const ErrorCode& error, size_t bytes);
    void give();
    void fit_input(size_t bytes, bool message_done);
    void read_failed(const ErrorCode& error);
    void write_some();
    void write_message();
    void on_written(const ErrorCode& error, size_t bytes);
    void operation_failed(const ErrorCode& error);
    void ping();
    void set_ping_timer();
    void close_with(ws::close_code code, std::string why);
    void send_close();
    void finish(std::string why, bool linger);
    void post_end();
    void report_end();

    LifePtr life_;
    ByteStreamHandler* handler_ = nullptr;
    std::optional<std::string> end_;  // why it closed; not reported yet
    std::string close_why_;
    size_t read_size_ = kIdleRead;
    ws::close_code close_code_ = ws::close_code::normal;
    State state_ = State::open;
    bool reading_ = false;
    bool giving_ = false;  // inside the handler's on_bytes
    bool moved_ = false;   // and it has given us to another shard
    bool paused_ = false;
    bool writing_ = false;
    bool close_sent_ = false;
    bool ping_sent_ = false;
    bool pinging_ = false;  // the ping is not written yet
    bool was_congested_ = false;
};

// --- Life ---

void Life::time_is_up() {
    const auto self = shared_from_this();
    if (stream != nullptr) {
        stream->time_is_up();
    } else {
        cut();
    }
}

void Life::cut() {
    timer.cancel();
    ErrorCode ignored;
    socket.next_layer().close(ignored);
}

// Our close frame is out. What the peer still sends is read and forgotten for a moment: closing
// with unread bytes would reset the connection, and the peer could lose our last messages.
void Life::linger() {
    lingering = true;
    timer.set(shard.now_ms() + kLingerTimeMs);
    drain();
}

void Life::drain() {
    auto& wire = socket.next_layer();
    if (!wire.is_open()) return;
    wire.async_wait(Socket::wait_read, [life = shared_from_this()](const ErrorCode& error) {
        if (error) return life->cut();
        auto& from = life->socket.next_layer();
        const ssize_t got = ::recv(from.native_handle(), life->shard.read_buffer(),
                                   Shard::kReadBuffer, MSG_DONTWAIT);
        if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return life->drain();
        life->cut();
    });
}

// --- WebSocketStream: reading ---

WebSocketStream::WebSocketStream(LifePtr life, PeerInfo peer)
    : ByteStream(life->shard, std::move(peer)), life_(std::move(life)) {
    life_->stream = this;
    set_ping_timer();
}

WebSocketStream::~WebSocketStream() {
    life_->stream = nullptr;
    shard_->cancel_end_of_turn(*this);
    if (output_.capacity() != 0) shard_->buffers().give(std::move(output_));
    if (!life_->lingering) life_->cut();
}

void WebSocketStream::start(ByteStreamHandler& handler) {
    handler_ = &handler;
    if (end_) return post_end();
    arm_read();
}

void WebSocketStream::resume_reading() {
    if (!std::exchange(paused_, false)) return;
    life_->heard = true;  // nobody listened to it meanwhile
    arm_read();
}

void WebSocketStream::arm_read() {
    if (reading_ || giving_ || paused_ || handler_ == nullptr || state_ != State::open) return;
    reading_ = true;
    if (shard_->congested()) {
        shard_->when_clear([life = life_] {
            if (life->stream == nullptr) return;
            life->stream->reading_ = false;
            life->heard = true;
            life->stream->arm_read();
        });
        return;
    }
    char* room = life_->input.reserve(read_size_);
    life_->socket.async_read_some(asio::buffer(room, read_size_),
                                  [life = life_](const ErrorCode& error, size_t bytes) {
                                      if (life->stream != nullptr) {
                                          life->stream->on_read(error, bytes);
                                      }
                                  });
}

void WebSocketStream::on_read(const ErrorCode& error, size_t bytes) {
    reading_ = false;
    if (error) return read_failed(error);
    shard_->touch_clock();
    const auto life = life_;
    life->heard = true;
    if (state_ != State::open) return;  // the closing handshake reads on
    if (!life->socket.got_binary()) {
        // A control packet in a text frame closes the connection [MQTT-6.0.0-1].
        life->rules->text_frames->add(shard_->index());
        output_.clear();
        return close_with(ws::close_code::unknown_data, "sent a text frame");
    }
    life->input.commit(bytes);
    const bool done = life->socket.is_message_done();
    if (bytes != 0) give();
    if (life->stream == nullptr) return;
    fit_input(bytes, done);
    arm_read();
}

void WebSocketStream::give() {
    const auto life = life_;
    giving_ = true;
    const std::string_view bytes = life->input.view();
    const size_t used = handler_->on_bytes(bytes);
    if (life->stream == nullptr) return;
    giving_ = false;
    // The next handler was given the rest by `move_to`.
    life->input.consume(std::exchange(moved_, false) ? bytes.size() : used);
}

/// Most messages are small. A large one is read with few calls, into a buffer that is borrowed.
void WebSocketStream::fit_input(size_t bytes, bool message_done) {
    OutBuffer& input = life_->input;
    if (message_done) {
        read_size_ = kIdleRead;
        if (input.empty() && input.capacity() > 4 * kIdleRead) {
            shard_->buffers().give(std::exchange(input, OutBuffer()));
        }
    } else if (bytes > read_size_ / 2 && read_size_ < kBusyRead) {
        read_size_ = std::min(4 * read_size_, kBusyRead);
        if (input.empty()) input = shard_->buffers().take();
    }
}

void WebSocketStream::read_failed(const ErrorCode& error) {
    if (state_ == State::closed) return;
    if (error == ws::error::closed) {
        const auto& reason = life_->socket.reason();
        return finish("closed by the peer, code " + std::to_string(reason.code), true);
    }
    if (error == asio::error::operation_aborted) {
        if (close_sent_) return;  // the end of the closing handshake tells
        return finish("the connection broke", false);
    }
    if (error == asio::error::eof) return finish("closed by the peer without a close frame", false);
    if (error.category() == ErrorCode(ws::error::closed).category()) {
        // Beast has told the peer by its close frame.
        const bool large = error == ws::error::message_too_big;
        (large ? life_->rules->too_large : life_->rules->bad_frames)->add(shard_->index());
        return finish("WebSocket rules were broken: " + error.message(), true);
    }
    finish(error.message(), false);
}

// --- WebSocketStream: writing ---

void WebSocketStream::end_of_turn() {
    flush_due_ = false;
    write_some();
}

void WebSocketStream::flush_now() {
    if (output_.size() >= kFlushAt) write_some();
}

void WebSocketStream::write_some() {
    if (state_ == State::closed || close_sent_) return output_.clear();
    if (congested()) was_congested_ = true;
    if (writing_) return;
    if (!output_.empty()) {
        life_->writing = std::exchange(output_, OutBuffer());
        in_flight_ = life_->writing.size();
        return write_message();
    }
    if (output_.capacity() != 0 && !flush_due_) {
        shard_->buffers().give(std::exchange(output_, OutBuffer()));
    }
    if (state_ == State::closing) send_close();
}

void WebSocketStream::write_message() {
    writing_ = true;
    const size_t bytes = std::min(life_->writing.size(), kLargestMessage);
    life_->socket.async_write(asio::buffer(life_->writing.data(), bytes),
                              [life = life_, bytes](const ErrorCode& error, size_t) {
                                  if (life->stream != nullptr) {
                                      life->stream->on_written(error, bytes);
                                  }
                              });
}

void WebSocketStream::on_written(const ErrorCode& error, size_t bytes) {
    writing_ = false;
    if (error) return operation_failed(error);
    if (state_ == State::closed) return;
    life_->heard = true;  // it takes what we send
    life_->writing.consume(bytes);
    in_flight_ -= bytes;
    if (!life_->writing.empty()) {
        write_message();
    } else {
        shard_->buffers().give(std::exchange(life_->writing, OutBuffer()));
        if (!output_.empty() || state_ == State::closing) write_some();
    }
    if (was_congested_ && backlog() <= high_water_ / 2) {
        was_congested_ = false;
        if (handler_ != nullptr && state_ == State::open) handler_->on_output_drained();
    }
}

/// A write or ping ended badly. When the stream has failed as a whole, the read knows why.
void WebSocketStream::operation_failed(const ErrorCode& error) {
    if (error == asio::error::operation_aborted && (reading_ || close_sent_)) return;
    finish(error.message(), false);
}

// --- WebSocketStream: pings and ends ---

void WebSocketStream::set_ping_timer() {
    life_->heard = false;
    const uint64_t interval = life_->rules->ping_interval_ms;
    if (interval == 0) return life_->timer.cancel();
    life_->timer.set(shard_->now_ms() + interval);
}

void WebSocketStream::time_is_up() {
    if (state_ == State::closing) {
        return finish(close_why_ + ", and the peer did not answer in time", false);
    }
    if (state_ == State::closed) return;
    if (life_->heard || paused_) {
        ping_sent_ = false;
    } else if (ping_sent_ || pinging_) {
        life_->rules->silent->add(shard_->index());
        return abort("did not answer a ping");
    } else {
        ping();
    }
    set_ping_timer();
}

void WebSocketStream::ping() {
    ping_sent_ = pinging_ = true;
    life_->socket.async_ping({}, [life = life_](const ErrorCode& error) {
        if (life->stream == nullptr) return;
        life->stream->pinging_ = false;
        if (error) life->stream->operation_failed(error);
    });
}

void WebSocketStream::close_with(ws::close_code code, std::string why) {
    if (state_ != State::open) return;
    state_ = State::closing;
    close_code_ = code;
    close_why_ = std::move(why);
    life_->timer.set(shard_->now_ms() + kCloseTimeMs);
    output();  // the end of the turn goes on with it
}

void WebSocketStream::send_close() {
    close_sent_ = true;
    life_->socket.async_close(close_code_, [life = life_](const ErrorCode& error) {
        if (life->stream != nullptr) {
            life->stream->finish(std::move(life->stream->close_why_), !error);
        }
    });
}

void WebSocketStream::abort(std::string_view why) {
    if (state_ == State::closed) return;
    // A reset, so that the peer does not wait for more.
    const struct ::linger hard { 1, 0 };
    ::setsockopt(life_->socket.next_layer().native_handle(), SOL_SOCKET, SO_LINGER, &hard,
                 sizeof hard);
    finish(std::string(why), false);
}

void WebSocketStream::finish(std::string why, bool linger) {
    if (state_ == State::closed) return;
    state_ = State::closed;
    output_.clear();
    in_flight_ = 0;
    if (linger) {
        life_->linger();
    } else {
        life_->cut();
    }
    end_ = std::move(why);
    post_end();
}

void WebSocketStream::post_end() {
    shard_->post([life = life_] {
        if (life->stream != nullptr) life->stream->report_end();
    });
}

void WebSocketStream::report_end() {
    if (handler_ == nullptr || !end_) return;
    const std::string why = std::move(*end_);
    end_.reset();
    std::exchange(handler_, nullptr)->on_closed(why);
}

void WebSocketStream::move_to(std::unique_ptr<ByteStream> self, Shard& target,
                              std::string_view unread,
                              std::function<void(std::unique_ptr<ByteStream>)> arrived) {
    handler_ = nullptr;
    moved_ = giving_;
    make_remote_stream(std::move(self), unread, target, std::move(arrived));
}

}  // namespace

void accept_websocket(Shard& shard, Socket socket, PeerInfo peer, const Request& request,
                      std::string_view subprotocol, std::shared_ptr<const StreamRules> rules,
                      Slot slot, std::function<void(std::unique_ptr<ByteStream>)> done) {
    const auto life =
        std::make_shared<Life>(shard, std::move(socket), std::move(rules), std::move(slot));
    auto& stream = life->socket;
    stream.binary(true);
    stream.auto_fragment(false);
    stream.read_message_max(life->rules->max_message_size);
    stream.set_option(
        ws::stream_base::decorator([name = std::string(subprotocol)](ws::response_type& response) {
            response.set(beast::http::field::server, "Trestle");
            response.set(beast::http::field::sec_websocket_protocol, name);
        }));
    // Owned by what it is given to, which owns us: no shared pointer in it.
    stream.control_callback(
        [raw = life.get()](ws::frame_type, beast::string_view) { raw->heard = true; });
    life->timer.set(shard.now_ms() + life->rules->handshake_timeout_ms);
    stream.async_accept(request, [life, peer = std::move(peer),
                                  done = std::move(done)](const ErrorCode& error) mutable {
        if (error) {
            life->cut();
            return done(nullptr);
        }
        done(std::make_unique<WebSocketStream>(life, std::move(peer)));
    });
}

}  // namespace trestle::websocket
