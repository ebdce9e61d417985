// A byte stream used on one shard while its socket stays on another (WebSocket, TLS).
//
//   Near: lives on the stream's shard, owns the stream and is its handler.
//   RemoteStream: what the protocol sees, on the shard `here`.
//
// Each side gathers what it has for the other (bytes, acknowledgements) and posts it once at the
// end of its turn. Bytes are acknowledged when the other side has handed them on: Near stops
// reading the stream while more than kWindow bytes are on their way, and the bytes that Near's
// stream cannot take count in the stand-in's backlog. Near's fields are touched on its shard only;
// the stand-in is reached through a `Port`, whose pointer is touched on the shard `here` only. So
// either may die first.
#include <optional>

#include "plugin_api/net.h"

namespace trestle {

namespace {

constexpr size_t kWindow = 256 * 1024;
constexpr size_t kFlushAt = 256 * 1024;

class RemoteStream;

/// Where posts for the stand-in go; empty before it has come and after it has gone.
struct Port {
    RemoteStream* stream = nullptr;
};

void give_back(Shard& shard, OutBuffer&& buffer) { shard.buffers().give(std::move(buffer)); }

void put_behind(OutBuffer& queue, OutBuffer&& bytes, Shard& shard) {
    if (queue.empty()) {
        std::swap(queue, bytes);
    } else {
        queue.append(bytes.view());
    }
    give_back(shard, std::move(bytes));
}

/// What goes from the stand-in to Near in one turn.
struct ToNear {
    OutBuffer bytes;
    size_t taken = 0;  // bytes of the peer that the handler was given
    size_t high_water = 0;
    bool close = false;
};

class Near final : public ByteStreamHandler, private TurnTask {
 public:
    Near(std::unique_ptr<ByteStream> stream, Shard& here)
        : shard_(stream->shard()), here_(here), stream_(std::move(stream)) {}
    ~Near() override { shard_.cancel_end_of_turn(*this); }
    Near(const Near&) = delete;

    void start() { stream_->start(*this); }
    [[nodiscard]] Shard& shard() const { return shard_; }
    [[nodiscard]] const std::shared_ptr<Port>& port() const { return port_; }
    [[nodiscard]] PeerInfo peer() const { return stream_->peer(); }

    size_t on_bytes(std::string_view bytes) override {
        if (inbound_.capacity() == 0) inbound_ = shard_.buffers().take();
        inbound_.append(bytes);
        if (on_the_way_ + inbound_.size() > kWindow && !paused_) {
            paused_ = true;
            stream_->pause_reading();
        }
        shard_.at_end_of_turn(*this);
        return bytes.size();
    }
    void on_output_drained() override { shard_.at_end_of_turn(*this); }
    void on_closed(std::string_view why) override;

    // From the stand-in.
    void take(ToNear& batch);
    void abort(const std::string& why) {
        if (stream_) stream_->abort(why);
    }
    void drop() {
        shard_.cancel_end_of_turn(*this);
        stream_.reset();
    }

 private:
    void end_of_turn() override;

    Shard& shard_;
    Shard& here_;
    std::shared_ptr<Port> port_ = std::make_shared<Port>();
    std::unique_ptr<ByteStream> stream_;
    OutBuffer inbound_;
    size_t on_the_way_ = 0;  // posted, and not acknowledged by the stand-in
    size_t owed_ = 0;        // appended to the stream, and not acknowledged to the stand-in
    bool paused_ = false;
};

class RemoteStream final : public ByteStream {
 public:
    RemoteStream(Shard& here, PeerInfo peer, std::shared_ptr<Near> near, OutBuffer&& unread)
        : ByteStream(here, std::move(peer)), near_(std::move(near)), inbox_(std::move(unread)) {
        near_->port()->stream = this;
    }
    ~RemoteStream() override {
        near_->port()->stream = nullptr;
        shard_->cancel_end_of_turn(*this);
        give_back(*shard_, std::move(output_));
        give_back(*shard_, std::move(inbox_));
        // The last reference goes where the socket lives.
        Shard& shard = near_->shard();
        shard.post([near = std::move(near_)] { near->drop(); });
    }

    void start(ByteStreamHandler& handler) override {
        handler_ = &handler;
        fresh_ = !inbox_.empty();
        shard_->at_end_of_turn(*this);
    }
    void flush_now() override;
    void pause_reading() override { paused_ = true; }
    void resume_reading() override {
        if (!std::exchange(paused_, false)) return;
        shard_->at_end_of_turn(*this);
    }
    void close() override {
        if (std::exchange(closing_, true)) return;
        output();  // also when the stream is gone already: then its end is reported
    }
    void abort(std::string_view why) override {
        if (std::exchange(aborted_, true)) return;
        closing_ = true;
        output_.clear();
        if (closed_) return shard_->at_end_of_turn(*this);
        near_->shard().post([near = near_, text = std::string(why)] { near->abort(text); });
    }
    void move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                 std::function<void(std::unique_ptr<ByteStream>)> arrived) override {
        moved_ = true;
        handler_ = nullptr;
        make_remote_stream(std::move(self), unread, target, std::move(arrived));
    }

    // From Near.
    void receive(OutBuffer&& bytes, size_t written);
    void receive_end(const std::string& why);

 private:
    void end_of_turn() override;
    void deliver();
    void deliver_when_clear();
    void send();
    void report_end();

    std::shared_ptr<Near> near_;
    ByteStreamHandler* handler_ = nullptr;
    OutBuffer inbox_;                 // what the handler has left over, then what it has not seen
    size_t taken_ = 0;                // given to the handler, not acknowledged to Near
    size_t unseen_ = 0;               // at the end of the inbox, not given to the handler yet
    std::optional<std::string> end_;  // the stream is closed; not reported yet
    bool fresh_ = false;              // given to the handler again, though nothing has come since
    bool paused_ = false;
    bool awaits_clear_ = false;
    bool moved_ = false;
    bool closing_ = false;  // we want to close
    bool close_sent_ = false;
    bool aborted_ = false;
    bool closed_ = false;  // the stream is gone
};

// --- Near ---

void Near::end_of_turn() {
    size_t written = 0;
    // Congested: the stand-in counts the bytes as its own until `on_output_drained`.
    if (!stream_ || !stream_->congested()) written = std::exchange(owed_, 0);
    if (inbound_.empty() && written == 0) return;
    on_the_way_ += inbound_.size();
    auto bytes = std::make_shared<OutBuffer>(std::exchange(inbound_, OutBuffer()));
    here_.post([port = port_, bytes, written] {
        if (port->stream != nullptr) port->stream->receive(std::move(*bytes), written);
    });
}

void Near::on_closed(std::string_view why) {
    end_of_turn();
    shard_.cancel_end_of_turn(*this);
    stream_.reset();
    here_.post([port = port_, text = std::string(why)] {
        if (port->stream != nullptr) port->stream->receive_end(text);
    });
}

void Near::take(ToNear& batch) {
    on_the_way_ -= batch.taken;
    if (!stream_) return;
    if (paused_ && on_the_way_ + inbound_.size() <= kWindow / 2) {
        paused_ = false;
        stream_->resume_reading();
    }
    stream_->set_high_water(batch.high_water);
    if (!batch.bytes.empty()) {
        owed_ += batch.bytes.size();
        put_behind(stream_->output(), std::move(batch.bytes), shard_);
        // Behind the stream's own task: it has written what it can when ours runs, and if it is
        // congested then, it knows that it has to report the end of that.
        shard_.cancel_end_of_turn(*this);
        shard_.at_end_of_turn(*this);
    }
    if (batch.close) stream_->close();
}

// --- RemoteStream ---

void RemoteStream::receive(OutBuffer&& bytes, size_t written) {
    in_flight_ -= written;
    unseen_ += bytes.size();
    put_behind(inbox_, std::move(bytes), *shard_);
    if (take_drained() && handler_ != nullptr && !closing_) handler_->on_output_drained();
    const auto port = near_->port();
    deliver();
    if (port->stream != nullptr && taken_ >= kWindow / 4) shard_->at_end_of_turn(*this);
}

void RemoteStream::deliver() {
    if (handler_ == nullptr || paused_ || closing_ || inbox_.empty()) return;
    if (unseen_ == 0 && !fresh_) return;
    if (shard_->congested()) return deliver_when_clear();
    fresh_ = false;
    taken_ += std::exchange(unseen_, 0);
    const auto port = near_->port();
    const size_t used = handler_->on_bytes(inbox_.view());
    if (port->stream == nullptr) return;
    // A stream that has moved on has given the rest along.
    inbox_.consume(moved_ ? inbox_.size() : used);
    moved_ = false;
    // One that pauses leaves whole packets over: they are given again when it goes on, whatever
    // comes from the peer meanwhile.
    fresh_ = paused_ && !inbox_.empty();
    if (inbox_.empty()) give_back(*shard_, std::exchange(inbox_, OutBuffer()));
}

// What is read here is published from this shard: the lanes that it fills are this shard's.
void RemoteStream::deliver_when_clear() {
    if (std::exchange(awaits_clear_, true)) return;
    shard_->when_clear([port = near_->port()] {
        if (port->stream == nullptr) return;
        port->stream->awaits_clear_ = false;
        port->stream->shard_->at_end_of_turn(*port->stream);
    });
}

void RemoteStream::receive_end(const std::string& why) {
    closed_ = true;
    in_flight_ = 0;
    end_ = why;
    report_end();
}

void RemoteStream::report_end() {
    if (!end_ || handler_ == nullptr) return;
    // What came before the end is seen first, as with a socket: it waits for a handler that pauses,
    // or for the end of this turn. Not for one that waits for its output to drain.
    if (!closing_ && !told_congested_ && (unseen_ != 0 || fresh_)) return;
    const std::string why = std::move(*end_);
    end_.reset();
    std::exchange(handler_, nullptr)->on_closed(why);
}

void RemoteStream::end_of_turn() {
    const auto port = near_->port();
    deliver();
    if (port->stream == nullptr) return;
    flush_due_ = false;
    send();
    report_end();
}

void RemoteStream::flush_now() {
    if (output_.size() >= kFlushAt) send();
}

void RemoteStream::send() {
    if (closed_ || close_sent_ || aborted_) return output_.clear();
    if (output_.empty() && !closing_ && taken_ < kWindow / 4) return;
    close_sent_ = closing_;
    auto batch = std::make_shared<ToNear>();
    in_flight_ += output_.size();
    batch->bytes = std::exchange(output_, OutBuffer());
    batch->taken = std::exchange(taken_, 0);
    batch->high_water = high_water_;
    batch->close = closing_;
    near_->shard().post([near = near_, batch] { near->take(*batch); });
}

}  // namespace

void make_remote_stream(std::unique_ptr<ByteStream> stream, std::string_view unread, Shard& here,
                        std::function<void(std::unique_ptr<ByteStream>)> arrived) {
    auto near = std::make_shared<Near>(std::move(stream), here);
    auto rest = std::make_shared<OutBuffer>();
    rest->append(unread);
    here.post([&here, near, rest, peer = near->peer(), arrived = std::move(arrived)] {
        arrived(std::make_unique<RemoteStream>(here, peer, near, std::move(*rest)));
    });
    // After the post, so that what is read now arrives behind the stand-in.
    near->start();
}

}  // namespace trestle
