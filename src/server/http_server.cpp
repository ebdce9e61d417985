// The only source that compiles Beast's HTTP templates.
#include "server/http_server.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <ctime>
#include <optional>
#include <unordered_set>
#include <utility>

#include "plugin_api/net.h"
#include "server/router.h"

namespace trestle {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = net::ip::tcp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr size_t kReadBytes = 4096;

struct ListenAddress {
    Tcp::endpoint endpoint;
    std::string fault;
};

ListenAddress parse_listen_uri(std::string_view uri) {
    constexpr std::string_view kScheme = "http://";
    const auto wrong = [&](std::string_view what) {
        return ListenAddress{{},
                             fmt::format("\"{}\" {}; write it as http://127.0.0.1:8080, "
                                         "http://[::1]:8080 or http://localhost:8080",
                                         uri, what)};
    };
    if (!uri.starts_with(kScheme)) return wrong("does not begin with http://");
    std::string_view rest = uri.substr(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || rest.ends_with(']')) return wrong("has no port");

    const std::string_view digits = rest.substr(colon + 1);
    uint16_t port = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failed != std::errc() || end != digits.data() + digits.size()) {
        return wrong("has no port between 0 and 65535");
    }

    std::string host(rest.substr(0, colon));
    if (host == "localhost") host = "127.0.0.1";
    const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (in_brackets) host = host.substr(1, host.size() - 2);
    error_code error;
    const auto address = net::ip::make_address(host, error);
    if (error || address.is_v6() != in_brackets) return wrong("has no IP address");
    return {Tcp::endpoint(address, port), {}};
}

/// Status line and headers, with the empty line that ends them.
std::string head_of(const HttpResponse& response, bool is_http_1_0, bool keep_alive) {
    const auto reason = http::obsolete_reason(http::int_to_status(response.status));
    std::string head = fmt::format(
        "HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\nContent-Length: {}\r\n",
        response.status, std::string_view(reason.data(), reason.size()),
        fmt::gmtime(std::time(nullptr)), response.body.size());
    const auto add = [&head](std::string_view name, std::string_view value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    add("Cache-Control", "no-store");
    add("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) add(name, value);
    if (!keep_alive) {
        add("Connection", "close");
    } else if (is_http_1_0) {
        add("Connection", "keep-alive");
    }
    head.append("\r\n");
    return head;
}

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

}  // namespace

/// What lives as long as a connection or a listener has work under way.
class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
    Core(net::io_context& context, const Router& routes, HttpLimits bounds)
        : io(context), router(routes), limits(bounds) {}

    std::string listen(const Tcp::endpoint& endpoint, std::string_view uri);
    void stop();
    void remove(const std::shared_ptr<Connection>& connection) { connections.erase(connection); }

    net::io_context& io;
    const Router& router;
    const HttpLimits limits;
    std::unordered_set<std::shared_ptr<Connection>> connections;
    std::vector<uint16_t> ports;
    bool stopped = false;

 private:
    struct Listener {
        Tcp::acceptor acceptor;
        net::steady_timer retry;
        explicit Listener(net::io_context& context) : acceptor(context), retry(context) {}
    };
    void accept(Listener& listener);
    void accept_later(Listener& listener);
    void admit(Tcp::socket socket);
    bool make_room();

    std::vector<std::unique_ptr<Listener>> listeners_;
};

/// One peer. It is held by the core's set and by the operation under way; when both let go, it is
/// gone.
class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
    Connection(std::shared_ptr<Core> core, Tcp::socket socket)
        : core_(std::move(core)),
          stream_(std::move(socket)),
          buffer_(core_->limits.max_header_bytes + kReadBytes) {}

    void start() { await_first_byte(); }
    void close() {
        error_code ignored;
        stream_.socket().close(ignored);
    }
    /// Since when nothing is under way here; nothing while a request is.
    [[nodiscard]] std::optional<Clock::time_point> idle_since() const { return idle_since_; }

 private:
    void await_first_byte();
    void read_request();
    void on_request(const error_code& error);
    [[nodiscard]] HttpResponse answer();
    void respond(HttpResponse response, bool keep_alive);
    void linger();
    void discard();
    void finish();

    std::shared_ptr<Core> core_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    std::string head_;
    HttpResponse response_;
    std::optional<Clock::time_point> idle_since_;
};

// --- Core: listeners and the bound on connections

std::string HttpServer::Core::listen(const Tcp::endpoint& endpoint, std::string_view uri) {
    auto listener = std::make_unique<Listener>(io);
    auto& acceptor = listener->acceptor;
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(net::ip::v6_only(true), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
    if (error) {
        return fmt::format("cannot listen on {}: {}{}", uri, error.message(),
                           bind_advice(error.value()));
    }
    ports.push_back(acceptor.local_endpoint(error).port());
    accept(*listeners_.emplace_back(std::move(listener)));
    return {};
}

void HttpServer::Core::accept(Listener& listener) {
    listener.acceptor.async_accept(
        [self = shared_from_this(), &listener](const error_code& error, Tcp::socket socket) {
            if (self->stopped) return;
            if (error) return self->accept_later(listener);
            self->admit(std::move(socket));
            self->accept(listener);
        });
}

void HttpServer::Core::accept_later(Listener& listener) {
    // Out of descriptors, most likely: asking again at once would spin.
    listener.retry.expires_after(kAcceptRetry);
    listener.retry.async_wait([self = shared_from_this(), &listener](const error_code&) {
        if (!self->stopped) self->accept(listener);
    });
}

bool HttpServer::Core::make_room() {
    if (connections.size() < limits.max_connections) return true;
    std::shared_ptr<Connection> oldest;
    for (const auto& connection : connections) {
        if (!connection->idle_since()) continue;
        if (!oldest || *connection->idle_since() < *oldest->idle_since()) oldest = connection;
    }
    if (!oldest) return false;
    oldest->close();
    connections.erase(oldest);
    return true;
}

void HttpServer::Core::admit(Tcp::socket socket) {
    error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    if (make_room()) {
        auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket));
        connections.insert(connection);
        connection->start();
        return;
    }
    const auto refusal = HttpResponse::text(503, "Too many connections are open.");
    const std::string bytes = head_of(refusal, false, false) + refusal.body;
    socket.non_blocking(true, ignored);
    socket.write_some(net::buffer(bytes), ignored);  // a new socket has room for it
    socket.close(ignored);
}

void HttpServer::Core::stop() {
    stopped = true;
    error_code ignored;
    for (auto& listener : listeners_) {
        listener->acceptor.close(ignored);
        listener->retry.cancel();
    }
    for (const auto& connection : connections) connection->close();
    connections.clear();
}

// --- Connection: first byte, request, answer, and again

void HttpServer::Connection::await_first_byte() {
    if (buffer_.size() > 0) return read_request();  // pipelined
    idle_since_ = Clock::now();
    stream_.expires_after(core_->limits.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](const error_code& error, size_t n) {
                                self->idle_since_.reset();
                                if (error) return self->finish();
                                self->buffer_.commit(n);
                                self->read_request();
                            });
}

void HttpServer::Connection::read_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(core_->limits.max_header_bytes));
    parser_->body_limit(core_->limits.max_body_bytes);
    // One deadline for the whole request: a peer that sends byte by byte gains nothing.
    stream_.expires_after(core_->limits.request_timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const error_code& error, size_t) { self->on_request(error); });
}

void HttpServer::Connection::on_request(const error_code& error) {
    if (core_->stopped) return finish();
    if (error) {
        auto refusal = refusal_for(error);
        return refusal ? respond(std::move(*refusal), false) : finish();
    }
    const bool keep_alive = parser_->keep_alive();
    HttpResponse response = answer();
    const bool is_good = response.status != 400;
    respond(std::move(response), keep_alive && is_good);
}

HttpResponse HttpServer::Connection::answer() {
    const auto& message = parser_->get();
    HttpRequest request;
    size_t hosts = 0;
    for (const auto& field : message) {
        request.headers.emplace_back(view(field.name_string()), view(field.value()));
        if (field.name() == http::field::host) ++hosts;
    }
    if (hosts > 1 || (hosts == 0 && message.version() == 11)) {
        return HttpResponse::text(400, "A request needs one Host header.");  // RFC 9112, 3.2
    }
    request.method = view(message.method_string());
    request.body = message.body();
    std::string_view target = view(message.target());
    if (target.starts_with("http://")) {  // absolute form: as proxies send it; RFC 9112, 3.2.2
        const size_t slash = target.find('/', sizeof("http://") - 1);
        target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    if (!target.starts_with('/')) return HttpResponse::text(400, "The path must begin with \"/\".");
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
    return core_->router.handle(request);
}

void HttpServer::Connection::respond(HttpResponse response, bool keep_alive) {
    const bool is_http_1_0 = parser_->is_header_done() && parser_->get().version() == 10;
    const bool is_head = parser_->is_header_done() && parser_->get().method() == http::verb::head;
    response_ = std::move(response);
    head_ = head_of(response_, is_http_1_0, keep_alive);
    const std::array<net::const_buffer, 2> bytes{
        net::buffer(head_), is_head ? net::const_buffer() : net::buffer(response_.body)};
    stream_.expires_after(core_->limits.write_timeout);
    net::async_write(stream_, bytes,
                     [self = shared_from_this(), keep_alive](const error_code& error, size_t) {
                         self->parser_.reset();
                         self->response_ = {};
                         if (error || self->core_->stopped) return self->finish();
                         keep_alive ? self->await_first_byte() : self->linger();
                     });
}

void HttpServer::Connection::linger() {
    // Closing with bytes unread would send a reset, which may overtake the answer (RFC 9112, 9.6).
    error_code error;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
    if (error) return finish();
    idle_since_ = Clock::now();
    stream_.expires_after(core_->limits.linger_timeout);
    discard();
}

void HttpServer::Connection::discard() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](const error_code& error, size_t) {
                                error ? self->finish() : self->discard();
                            });
}

void HttpServer::Connection::finish() {
    close();
    core_->remove(shared_from_this());
}

// --- The server

HttpServer::HttpServer(net::io_context& io, const Router& router, HttpLimits limits)
    : core_(std::make_shared<Core>(io, router, limits)) {}

HttpServer::~HttpServer() { stop(); }

std::string HttpServer::listen(std::string_view uri) {
    const auto address = parse_listen_uri(uri);
    return address.fault.empty() ? core_->listen(address.endpoint, uri) : address.fault;
}

std::string HttpServer::fault_of(std::string_view uri) { return parse_listen_uri(uri).fault; }

const std::vector<uint16_t>& HttpServer::ports() const { return core_->ports; }
size_t HttpServer::connections() const { return core_->connections.size(); }

size_t HttpServer::busy_connections() const {
    return static_cast<size_t>(std::count_if(core_->connections.begin(), core_->connections.end(),
                                             [](const auto& c) { return !c->idle_since(); }));
}

void HttpServer::stop() { core_->stop(); }

}  // namespace trestle
