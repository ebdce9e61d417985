#include "websocket/stream.h"

#include <algorithm>
#include <utility>

#include "plugin_api/net.h"

namespace trestle::websocket {

namespace {

constexpr size_t kLargestMessage = 64 * 1024;  // of ours
constexpr size_t kFlushAt = 256 * 1024;

class WebSocketStream final : public ByteStream, private ConnectionUser {
 public:
    explicit WebSocketStream(std::unique_ptr<Connection> connection)
        : ByteStream(connection->shard(), connection->peer()), connection_(std::move(connection)) {}
    ~WebSocketStream() override {
        shard_->cancel_end_of_turn(*this);
        if (output_.capacity() != 0) shard_->buffers().give(std::move(output_));
    }

    void start(ByteStreamHandler& handler) override {
        handler_ = &handler;
        connection_->start(*this);
    }
    void flush_now() override {
        if (output_.size() < kFlushAt) return;
        frame_output();
        connection_->flush_now();
        look_at_backlog();
    }
    void pause_reading() override { connection_->pause(); }
    void resume_reading() override { connection_->resume(); }
    void close() override {
        frame_output();
        connection_->close(CloseCode::normal, {}, "closed");
    }
    void abort(std::string_view why) override {
        output_.clear();
        connection_->abort(why);
    }
    void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override {
        handler_ = nullptr;
        moved_ = giving_;
        make_remote_stream(std::move(self), unread, target, std::move(arrived));
    }

 private:
    size_t on_data(std::string_view bytes) override {
        giving_ = true;
        const size_t used = handler_->on_bytes(bytes);
        giving_ = false;
        // The next handler was given the rest by `move_to`.
        return std::exchange(moved_, false) ? bytes.size() : used;
    }
    void on_ending() override { frame_output(); }
    void on_drained() override {
        look_at_backlog();
        if (handler_ != nullptr && take_drained()) handler_->on_output_drained();
    }
    void on_closed(std::string_view why) override {
        in_flight_ = 0;
        output_.clear();
        if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_closed(why);
    }
    void end_of_turn() override {
        flush_due_ = false;
        frame_output();
        look_at_backlog();
        // The caller was told of a congestion that has gone with what it wrote itself.
        if (handler_ != nullptr && take_drained()) handler_->on_output_drained();
    }
    void frame_output() {
        for (std::string_view rest = output_.view(); !rest.empty();) {
            const size_t here = std::min(rest.size(), kLargestMessage);
            connection_->send(Opcode::binary, rest.substr(0, here));
            rest.remove_prefix(here);
        }
        output_.clear();
        if (!flush_due_ && output_.capacity() != 0) {
            shard_->buffers().give(std::exchange(output_, OutBuffer()));
        }
    }
    /// What the connection has not written counts as ours while it is much: then it tells of its
    /// end.
    void look_at_backlog() {
        connection_->set_high_water(high_water_);
        in_flight_ = connection_->congested() ? connection_->backlog() : 0;
        (void)congested();  // then the handler hears of the end of it
    }

    std::unique_ptr<Connection> connection_;
    ByteStreamHandler* handler_ = nullptr;
    bool giving_ = false;  // inside the handler's on_bytes
    bool moved_ = false;   // and it has given us to another shard
};

}  // namespace

std::unique_ptr<ByteStream> make_websocket_stream(std::unique_ptr<Connection> connection) {
    return std::make_unique<WebSocketStream>(std::move(connection));
}

}  // namespace trestle::websocket
