#include "runtime/socket_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace trestle {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

constexpr uint64_t kCloseTimeMs = 5'000;  // to write what is left
constexpr uint64_t kLingerTimeMs =
    1'000;                                // for the peer to close, so that it can read all we wrote
constexpr size_t kSmallRest = 16 * 1024;  // copied in front of the next read
constexpr size_t kFlushAt = 256 * 1024;
constexpr size_t kFlushPerTurn = 16u << 20;  // then the shard looks at its other connections

std::string error_text(int error) { return std::strerror(error); }

}  // namespace

SocketStream::SocketStream(Shard& shard, Accepted accepted, std::string_view rest)
    : ByteStream(shard, accepted.peer()),
      descriptor_(shard.io(), accepted.release()),
      life_(std::make_shared<Life>(Life{this})),
      close_timer_(
          shard.timers(),
          [](void* self) { static_cast<SocketStream*>(self)->fail("did not close in time"); },
          this) {
    rest_.append(rest);
}

SocketStream::~SocketStream() {
    life_->stream = nullptr;
    shard_->cancel_end_of_turn(*this);
    if (output_.capacity() != 0) shard_->buffers().give(std::move(output_));
}

void SocketStream::start(ByteStreamHandler& handler) {
    handler_ = &handler;
    give_rest_first();
}

// What came with the stream from its former shard, or was left over when reading was paused.
void SocketStream::give_rest_first() {
    if (rest_.empty()) return arm_read();
    shard_->post([life = life_] {
        auto* stream = life->stream;
        if (stream == nullptr || stream->state_ != State::open || stream->paused_) return;
        stream->give_rest();
        if (life->stream != nullptr) stream->arm_read();
    });
}

void SocketStream::arm_read() {
    if (reading_ || paused_ || state_ == State::closing || state_ == State::closed) return;
    reading_ = true;
    descriptor_.async_wait(Descriptor::wait_read,
                           [life = life_](const boost::system::error_code& error) {
                               if (life->stream == nullptr) return;
                               life->stream->reading_ = false;
                               if (!error) life->stream->readable();
                           });
}

void SocketStream::readable() {
    if (state_ == State::closing || state_ == State::closed || paused_) return;
    if (shard_->congested() && state_ == State::open) {
        shard_->when_clear([life = life_] {
            if (life->stream != nullptr) life->stream->arm_read();
        });
        return;
    }
    shard_->touch_clock();
    // A short rest is copied in front of what is read; behind a long one (a large packet that comes
    // in many pieces) is read in its place, so that no byte is moved or cleared at each piece.
    const size_t kept = rest_.size();
    const bool shared = kept <= kSmallRest;
    char* buffer = shared ? shard_->read_buffer() : rest_.reserve(Shard::kReadBuffer);
    size_t room = Shard::kReadBuffer;
    if (shared && kept != 0) {
        std::memcpy(buffer, rest_.data(), kept);
        buffer += kept;
        room -= kept;
    }
    const ssize_t got = ::recv(descriptor_.native_handle(), buffer, room, MSG_DONTWAIT);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return arm_read();
        return fail(got == 0 ? std::string("closed by the peer") : error_text(errno));
    }
    if (state_ == State::lingering) return arm_read();  // not for anybody any more
    const auto life = life_;
    if (shared) {
        rest_.clear();
        give({shard_->read_buffer(), kept + static_cast<size_t>(got)});
    } else {
        rest_.commit(static_cast<size_t>(got));
        give_rest();
    }
    if (life->stream != nullptr) arm_read();
}

void SocketStream::give(std::string_view bytes) {
    const auto life = life_;
    const size_t used = handler_->on_bytes(bytes);
    if (life->stream == nullptr || state_ != State::open) return;
    keep_rest(bytes.substr(used));
}

void SocketStream::give_rest() {
    if (rest_.empty()) return;
    const auto life = life_;
    const size_t used = handler_->on_bytes(rest_.view());
    if (life->stream == nullptr || state_ != State::open) return;
    rest_.consume(used);
    if (rest_.size() <= kSmallRest) {
        // The large memory goes; an idle connection with half a packet must not hold it.
        const OutBuffer large = std::exchange(rest_, OutBuffer());
        keep_rest(large.view());
    }
}

void SocketStream::keep_rest(std::string_view rest) {
    if (!rest.empty()) {
        rest_.append(rest);
    } else if (rest_.capacity() != 0) {
        rest_.release();
    }
}

void SocketStream::pause_reading() { paused_ = true; }

void SocketStream::resume_reading() {
    if (!paused_) return;
    paused_ = false;
    if (state_ == State::open && handler_ != nullptr) give_rest_first();
}

void SocketStream::end_of_turn() {
    flush_due_ = false;
    flushed_ = 0;
    write_and_tell();
}

// The caller is in the middle of writing: it hears of a drained output at the end of the turn. A
// peer that reads as fast as we write must not keep the shard until a long queue is empty.
void SocketStream::flush_now() {
    if (output_.size() < kFlushAt || state_ != State::open) return;
    if (telling_drained_ || flushed_ >= kFlushPerTurn) return;
    const size_t before = output_.size();
    write_some();
    flushed_ += before - output_.size();
    if (told_congested_ && !writing_) output();
}

void SocketStream::write_and_tell() {
    const auto life = life_;
    write_some();
    if (life->stream != nullptr && state_ == State::open && handler_ != nullptr && take_drained()) {
        telling_drained_ = true;
        handler_->on_output_drained();
        if (life->stream != nullptr) telling_drained_ = false;
    }
}

void SocketStream::write_some() {
    if (writing_ || state_ == State::closed) return;
    while (!output_.empty()) {
        const ssize_t sent = ::send(descriptor_.native_handle(), output_.data(), output_.size(),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            return fail(error_text(errno));
        }
        output_.consume(static_cast<size_t>(sent));
    }
    if (!output_.empty()) {
        arm_write();
    } else {
        written_out();
    }
}

void SocketStream::written_out() {
    if (!flush_due_) {
        shard_->buffers().give(std::move(output_));
        output_ = OutBuffer();
    }
    if (state_ == State::closing) linger();
}

void SocketStream::arm_write() {
    writing_ = true;
    descriptor_.async_wait(Descriptor::wait_write,
                           [life = life_](const boost::system::error_code& error) {
                               if (life->stream == nullptr) return;
                               life->stream->writing_ = false;
                               if (error) return;
                               life->stream->shard_->touch_clock();
                               life->stream->write_and_tell();
                           });
}

void SocketStream::close() {
    if (state_ != State::open) return;
    state_ = State::closing;
    close_timer_.set(shard_->now_ms() + kCloseTimeMs);
    output();  // the end of the turn goes on with it
}

// The peer is told that nothing more comes, and what it still sends is read and forgotten for a
// moment: closing with unread bytes would reset the connection and lose our last packet.
void SocketStream::linger() {
    state_ = State::lingering;
    rest_ = OutBuffer();
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
    close_timer_.set(shard_->now_ms() + kLingerTimeMs);
    paused_ = false;
    arm_read();
}

void SocketStream::abort(std::string_view why) {
    if (state_ == State::closed) return;
    // A reset, so that the peer does not wait for more.
    const struct ::linger hard { 1, 0 };
    ::setsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fail(why);
}

void SocketStream::fail(std::string_view why) {
    if (state_ == State::closed) return;
    state_ = State::closed;
    close_timer_.cancel();
    boost::system::error_code ignored;
    descriptor_.close(ignored);
    report(std::string(why));
}

void SocketStream::report(std::string why) {
    if (handler_ == nullptr) return;
    shard_->post([life = life_, why = std::move(why)] {
        if (life->stream != nullptr) life->stream->handler_->on_closed(why);
    });
}

void SocketStream::move_to(std::unique_ptr<ByteStream> self, Shard& target, std::string_view unread,
                           std::function<void(std::unique_ptr<ByteStream>)> arrived) {
    // Before `start` nobody has seen what came along from its former shard.
    std::string rest(handler_ == nullptr ? rest_.view() : unread);
    state_ = State::closed;
    handler_ = nullptr;
    auto accepted = std::make_shared<Accepted>(descriptor_.release(), peer_);
    target.post([&target, accepted, rest = std::move(rest), arrived = std::move(arrived)] {
        arrived(std::make_unique<SocketStream>(target, std::move(*accepted), rest));
    });
    self.reset();
}

std::unique_ptr<ByteStream> make_socket_stream(Shard& shard, Accepted accepted) {
    return std::make_unique<SocketStream>(shard, std::move(accepted), std::string_view());
}

}  // namespace trestle
