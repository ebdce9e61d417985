#include "websocket/handshake.h"

#include <sys/socket.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>

#include "core/timer_queue.h"

namespace trestle::websocket {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

namespace {

constexpr uint32_t kLargestRequest = 8 * 1024;
constexpr uint64_t kLingerTimeMs = 1'000;

asio::ip::tcp protocol_of(int descriptor) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
    return address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

class HttpHandshake final : public Handshake, public std::enable_shared_from_this<HttpHandshake> {
 public:
    HttpHandshake(std::shared_ptr<Gate> gate, std::shared_ptr<const UpgradeRules> rules,
                  Shard& shard, Accepted&& accepted, Slot&& slot, bool refuse)
        : gate_(std::move(gate)),
          rules_(std::move(rules)),
          shard_(shard),
          peer_(accepted.peer()),
          slot_(std::move(slot)),
          refuse_(refuse),
          socket_(shard.io().get_executor()),
          buffer_(kLargestRequest),
          timer_(
              shard.timers(), [](void* self) { static_cast<HttpHandshake*>(self)->time_is_up(); },
              this) {
        parser_.header_limit(kLargestRequest);
        const int descriptor = accepted.release();
        socket_.assign(protocol_of(descriptor), descriptor);
    }

    void start();
    void abort(Failure failure) override;

 private:
    void on_request(const ErrorCode& error);
    void accept(const Verdict& verdict);
    void refuse(const Verdict& verdict);
    void drain();
    void time_is_up();
    void end();

    std::shared_ptr<Gate> gate_;
    std::shared_ptr<const UpgradeRules> rules_;
    Shard& shard_;
    PeerInfo peer_;
    Slot slot_;
    bool refuse_;
    bool answered_ = false;
    Socket socket_;
    boost::beast::flat_buffer buffer_;
    http::request_parser<http::empty_body> parser_;
    http::response<http::string_body> response_;
    Timer timer_;
};

void HttpHandshake::start() {
    timer_.set(shard_.now_ms() + gate_->stream_rules->handshake_timeout_ms);
    http::async_read_header(
        socket_, buffer_, parser_,
        [self = shared_from_this()](const ErrorCode& error, size_t) { self->on_request(error); });
}

void HttpHandshake::on_request(const ErrorCode& error) {
    if (!socket_.is_open() || error == asio::error::operation_aborted) return;
    if (!error) {
        Verdict verdict = judge(parser_.get(), *rules_);
        if (refuse_) {
            verdict = {503, Failure::limit, "There are too many connections.", {}};
        } else if (verdict.status == 101 && buffer_.size() != 0) {
            verdict = {400,
                       Failure::malformed,
                       "Nothing may follow the handshake before it is answered.",
                       {}};
        }
        return verdict.status == 101 ? accept(verdict) : refuse(verdict);
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return refuse({431, Failure::too_large, "The request is too large.", {}});
    }
    const bool is_http_fault = error.category() == ErrorCode(http::error::bad_method).category();
    if (is_http_fault && error != http::error::end_of_stream &&
        error != http::error::partial_message) {
        return refuse({400, Failure::malformed, "This is not an HTTP request.", {}});
    }
    abort(Failure::gone);
}

void HttpHandshake::accept(const Verdict& verdict) {
    timer_.cancel();
    accept_websocket(shard_, std::move(socket_), peer_, parser_.get(), verdict.subprotocol,
                     gate_->stream_rules, std::move(slot_),
                     [gate = gate_, &shard = shard_](std::unique_ptr<ByteStream> stream) {
                         if (!stream) return gate->failed(shard.index(), Failure::gone);
                         if (gate->stopping.load(std::memory_order_relaxed)) {
                             return gate->failed(shard.index(), Failure::shutdown);
                         }
                         gate->protocol->serve(std::move(stream));
                     });
    end();
}

void HttpHandshake::refuse(const Verdict& verdict) {
    gate_->failed(shard_.index(), verdict.failure);
    gate_->log.limited(gate_->log_limit, RepeatLimit::Clock::now(), LogLevel::info,
                       "a handshake from {} was answered {}: {}", peer_.address, verdict.status,
                       verdict.sentence);
    answered_ = true;
    response_.version(11);
    response_.result(verdict.status);
    response_.set(http::field::server, "Trestle");
    response_.set(http::field::connection, "close");
    response_.set(http::field::content_type, "text/plain");
    if (verdict.status == 426) {
        response_.set(http::field::upgrade, "websocket");
        response_.set(http::field::sec_websocket_version, "13");
    }
    response_.body().assign(verdict.sentence);
    response_.body() += '\n';
    response_.prepare_payload();
    timer_.set(shard_.now_ms() + kLingerTimeMs);
    http::async_write(socket_, response_, [self = shared_from_this()](ErrorCode error, size_t) {
        if (!error) self->socket_.shutdown(Socket::shutdown_send, error);
        if (error) return self->end();
        self->drain();
    });
}

// Closing with unread bytes would reset the connection, and the client would not see the answer.
void HttpHandshake::drain() {
    if (!socket_.is_open()) return;
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const ErrorCode& error) {
        if (error || !self->socket_.is_open()) return self->end();
        const ssize_t got = ::recv(self->socket_.native_handle(), self->shard_.read_buffer(),
                                   Shard::kReadBuffer, MSG_DONTWAIT);
        if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return self->drain();
        self->end();
    });
}

void HttpHandshake::time_is_up() {
    const auto self = shared_from_this();
    if (answered_) return end();
    gate_->log.limited(gate_->log_limit, RepeatLimit::Clock::now(), LogLevel::info,
                       "a handshake from {} took too long", peer_.address);
    abort(Failure::timeout);
}

void HttpHandshake::abort(Failure failure) {
    if (!answered_) gate_->failed(shard_.index(), failure);
    end();
}

void HttpHandshake::end() {
    const auto self = shared_from_this();
    timer_.cancel();
    ErrorCode ignored;
    socket_.close(ignored);
    gate_->running[shard_.index()].erase(self);
}

}  // namespace

void begin_handshake(std::shared_ptr<Gate> gate, std::shared_ptr<const UpgradeRules> rules,
                     Shard& shard, Accepted accepted, Slot slot, bool refuse) {
    auto& running = gate->running[shard.index()];
    auto handshake = std::make_shared<HttpHandshake>(std::move(gate), std::move(rules), shard,
                                                     std::move(accepted), std::move(slot), refuse);
    running.insert(handshake);
    handshake->start();
}

}  // namespace trestle::websocket
