// The only source that compiles Beast's HTTP templates.
#include "server/http_connection.h"

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

#include "server/http_answer.h"
#include "server/router.h"

namespace trestle {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = net::ip::tcp;

namespace {

constexpr size_t kReadBytes = 4096;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

using RequestParser = http::request_parser<http::string_body>;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// The sentence for a request that could not be read; nothing when the peer or the network is gone.
std::optional<HttpResponse> refusal_for(const error_code& error) {
    if (error == http::error::end_of_stream || error == http::error::partial_message) return {};
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return HttpResponse::text(431, "The request line and headers are too long.");
    }
    if (error == http::error::body_limit) return HttpResponse::text(413, "The body is too long.");
    if (error == http::error::bad_version) {
        return HttpResponse::text(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    }
    if (error.category() != make_error_code(http::error::end_of_stream).category()) return {};
    return HttpResponse::text(400, "This is not a valid HTTP request: " + error.message() + ".");
}

/// Whether the peer holds its body back until it hears that it is wanted (RFC 9110, 10.1.1).
bool asks_before_its_body(const RequestParser& parser) {
    const auto& message = parser.get();
    return !parser.is_done() && message.version() == 11 &&
           beast::iequals(message[http::field::expect], "100-continue");
}

class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
    Connection(Tcp::socket socket, std::shared_ptr<HttpShared> shared)
        : shared_(std::move(shared)),
          stream_(std::move(socket)),
          buffer_(shared_->limits.max_header_bytes + kReadBytes) {}
    ~Connection() override {
        if (is_streaming_) --shared_->streams;
    }

    void start() override { await_first_byte(); }
    void close() override {
        error_code ignored;
        stream_.socket().close(ignored);
    }
    [[nodiscard]] std::optional<Clock::time_point> waiting_since() const override {
        return waiting_since_;
    }

    // For replies.

    void respond(HttpResponse response, bool keep_alive);
    [[nodiscard]] bool begin_stream(std::string_view content_type, std::function<void()> closed);
    bool write_stream(std::string_view bytes);
    void end_stream();

 private:
    void await_first_byte();
    void read_request();
    void read_body(const error_code& error);
    void on_request(const error_code& error);
    void answer(bool keep_alive);
    void write_some();
    void linger();
    void discard();
    void finish();

    std::shared_ptr<HttpShared> shared_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    std::optional<RequestParser> parser_;
    std::string head_;
    HttpResponse response_;
    std::optional<Clock::time_point> waiting_since_;
    // An answer that goes on: what waits, and what is being written.
    bool is_streaming_ = false, is_writing_ = false, is_ending_ = false;
    std::string waiting_, leaving_;
    std::function<void()> stream_closed_;
};

/// An answer that goes on; outlives its connection.
class Stream final : public HttpStream {
 public:
    explicit Stream(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}
    ~Stream() override {
        if (const auto connection = connection_.lock()) connection->end_stream();
    }
    bool write(std::string_view bytes) override {
        const auto connection = connection_.lock();
        return connection && connection->write_stream(bytes);
    }

 private:
    std::weak_ptr<Connection> connection_;
};

/// Where a handler answers; outlives its connection.
class Reply final : public HttpReply {
 public:
    Reply(std::weak_ptr<Connection> connection, bool keep_alive)
        : connection_(std::move(connection)), keep_alive_(keep_alive) {}
    ~Reply() override {
        if (!is_used_) send(http_problem(500, "The server lost the answer."));
    }
    void send(HttpResponse response) override {
        const auto connection = connection_.lock();
        if (std::exchange(is_used_, true) || !connection) return;
        const bool is_good = response.status != 400;
        connection->respond(std::move(response), keep_alive_ && is_good);
    }
    std::unique_ptr<HttpStream> stream(std::string_view content_type,
                                       std::function<void()> closed) override {
        const auto connection = connection_.lock();
        if (is_used_ || !connection) return nullptr;
        if (!connection->begin_stream(content_type, std::move(closed))) {
            send(http_problem(503, "Too many streams are open."));
            return nullptr;
        }
        is_used_ = true;
        return std::make_unique<Stream>(connection_);
    }

 private:
    std::weak_ptr<Connection> connection_;
    bool keep_alive_;
    bool is_used_ = false;
};

// --- First byte, request, answer, and again

void Connection::await_first_byte() {
    if (buffer_.size() > 0) return read_request();  // pipelined
    waiting_since_ = Clock::now();
    stream_.expires_after(shared_->limits.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](const error_code& error, size_t n) {
                                if (error) return self->finish();
                                self->buffer_.commit(n);
                                self->read_request();
                            });
}

void Connection::read_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(shared_->limits.max_header_bytes));
    parser_->body_limit(shared_->limits.max_body_bytes);
    waiting_since_ = Clock::now();
    // One deadline for the whole request: a peer that sends byte by byte gains nothing.
    stream_.expires_after(shared_->limits.request_timeout);
    http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, size_t) {
            if (error || !asks_before_its_body(*self->parser_)) return self->read_body(error);
            net::async_write(self->stream_, net::buffer(kContinue),
                             [self](const error_code& failed, size_t) { self->read_body(failed); });
        });
}

void Connection::read_body(const error_code& error) {
    if (error || parser_->is_done()) return on_request(error);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& failed, size_t) {
                         self->on_request(failed);
                     });
}

void Connection::on_request(const error_code& error) {
    waiting_since_.reset();
    if (shared_->stopped) return finish();
    if (error) {
        auto refusal = refusal_for(error);
        return refusal ? respond(std::move(*refusal), false) : finish();
    }
    answer(parser_->keep_alive());
}

void Connection::answer(bool keep_alive) {
    const auto& message = parser_->get();
    HttpRequest request;
    size_t hosts = 0;
    bool has_end = true;  // where it is, is not known of other transfer codings (RFC 9112, 6.1)
    for (const auto& field : message) {
        request.headers.emplace_back(view(field.name_string()), view(field.value()));
        if (field.name() == http::field::host) ++hosts;
        if (field.name() == http::field::transfer_encoding) {
            has_end = has_end && beast::iequals(field.value(), "chunked");
        }
    }
    if (!has_end) {
        return respond(HttpResponse::text(501, "The only transfer coding is chunked."), false);
    }
    if (hosts > 1 || (hosts == 0 && message.version() == 11)) {  // RFC 9112, 3.2
        return respond(HttpResponse::text(400, "A request needs one Host header."), false);
    }
    request.method = view(message.method_string());
    request.body = message.body();
    std::string_view target = view(message.target());
    if (target.starts_with("http://")) {  // absolute form: as proxies send it; RFC 9112, 3.2.2
        const size_t slash = target.find('/', sizeof("http://") - 1);
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    if (!target.starts_with('/')) {
        return respond(HttpResponse::text(400, "The path must begin with \"/\"."), false);
    }
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
    shared_->router.handle(request, std::make_shared<Reply>(weak_from_this(), keep_alive));
}

void Connection::respond(HttpResponse response, bool keep_alive) {
    const bool is_http_1_0 = parser_->is_header_done() && parser_->get().version() == 10;
    const bool is_head = parser_->is_header_done() && parser_->get().method() == http::verb::head;
    response_ = std::move(response);
    head_ = http_head(response_, is_http_1_0, keep_alive);
    const std::array<net::const_buffer, 2> bytes{
        net::buffer(head_), is_head ? net::const_buffer() : net::buffer(response_.body)};
    stream_.expires_after(shared_->limits.write_timeout);
    net::async_write(stream_, bytes,
                     [self = shared_from_this(), keep_alive](const error_code& error, size_t) {
                         self->parser_.reset();
                         self->response_ = {};
                         if (error || self->shared_->stopped) return self->finish();
                         keep_alive ? self->await_first_byte() : self->linger();
                     });
}

void Connection::linger() {
    // Closing with bytes unread would send a reset, which may overtake the answer (RFC 9112, 9.6).
    error_code error;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
    if (error) return finish();
    waiting_since_ = Clock::now();
    stream_.expires_after(shared_->limits.linger_timeout);
    discard();
}

void Connection::discard() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](const error_code& error, size_t) {
                                error ? self->finish() : self->discard();
                            });
}

void Connection::finish() {
    close();
    if (stream_closed_ && !shared_->stopped) std::exchange(stream_closed_, nullptr)();
    if (shared_->gone) shared_->gone(shared_from_this());
}

// --- Answers that go on

bool Connection::begin_stream(std::string_view content_type, std::function<void()> closed) {
    if (shared_->streams >= shared_->limits.max_streams) return false;
    ++shared_->streams;
    is_streaming_ = true;
    stream_closed_ = std::move(closed);
    HttpResponse head;
    head.content_type = content_type;
    waiting_ = http_head(head, false, false, HttpEnd::by_close);
    parser_.reset();
    stream_.expires_never();
    discard();  // tells when the peer goes
    write_some();
    return true;
}

bool Connection::write_stream(std::string_view bytes) {
    if (!stream_.socket().is_open()) return false;
    // What is written now does not count: its reader has had no chance to take it yet.
    if (waiting_.size() > shared_->limits.max_stream_backlog) {
        close();  // it reads too slowly; the read under way ends, and with it everything
        return false;
    }
    waiting_.append(bytes);
    if (!is_writing_) write_some();
    return true;
}

void Connection::end_stream() {
    stream_closed_ = nullptr;
    is_ending_ = true;
    if (!is_writing_) close();
}

void Connection::write_some() {
    leaving_.swap(waiting_);
    waiting_.clear();
    is_writing_ = true;
    stream_.expires_after(shared_->limits.write_timeout);  // of the write: a read is under way
    net::async_write(stream_, net::buffer(leaving_),
                     [self = shared_from_this()](const error_code& error, size_t) {
                         self->is_writing_ = false;
                         if (error) return self->close();
                         if (!self->waiting_.empty()) return self->write_some();
                         if (self->is_ending_) self->close();
                     });
}

}  // namespace

std::shared_ptr<HttpConnection> make_http_connection(Tcp::socket socket,
                                                     std::shared_ptr<HttpShared> shared) {
    return std::make_shared<Connection>(std::move(socket), std::move(shared));
}

}  // namespace trestle
