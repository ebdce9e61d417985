// A small HTTP/1.1 server for the admin side: probes, metrics, the JSON API and the dashboard.
//
// Lives on one io_context that one thread runs (the main thread's); made, used and destroyed there,
// and before the io_context. It answers from a `Router`; two servers with different routers can
// stand side by side (a probe listener without the admin paths). Peers are not trusted: everything
// they can make grow or wait has a limit, and what they get wrong costs only their own connection.
//
// RFC 9110 and 9112: GET and HEAD and whatever the router takes, keep-alive, pipelining, HTTP/1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace trestle {

class Router;

struct HttpLimits {
    size_t max_connections = 128;
    size_t max_header_bytes = 16 * 1024;                // request line and headers; beyond: 431
    size_t max_body_bytes = 64 * 1024;                  // beyond: 413
    std::chrono::milliseconds request_timeout{10'000};  // from a request's first byte to its last
    std::chrono::milliseconds idle_timeout{
        75'000};  // from connecting, or an answer, to a first byte
    std::chrono::milliseconds write_timeout{10'000};  // for the peer to take an answer
    std::chrono::milliseconds linger_timeout{1'000};  // for the peer to read a refusal and close
    size_t max_streams = 64;  // answers that go on; beyond: 503. As many as `max_tails` may be
    size_t max_stream_backlog = 256 * 1024;  // waiting for a peer at the next write: closed
};

/// When all connections are in use, the one that has been longest without a whole request makes
/// room for a new one; when all are being answered, the new one gets 503 and is closed.
class HttpServer {
 public:
    /// `router` must outlive the server.
    HttpServer(boost::asio::io_context& io, const Router& router, HttpLimits limits = {});
    /// As `stop`.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Binds and accepts. `uri` is `http://ADDRESS:PORT` with an IPv4 address, an IPv6 address in
    /// brackets, or `localhost` (127.0.0.1); port 0 takes a free one; IPv6 listens on IPv6 alone.
    /// Returns
    /// "" or what is wrong, in words. Call it once for each address.
    [[nodiscard]] std::string listen(std::string_view uri);
    /// What `listen` would say without binding: for the check of a config.
    [[nodiscard]] static std::string fault_of(std::string_view uri);

    /// The ports bound, in order of `listen`.
    [[nodiscard]] const std::vector<uint16_t>& ports() const;
    [[nodiscard]] size_t connections() const;
    /// Those with an answer under way.
    [[nodiscard]] size_t busy_connections() const;

    /// Closes listeners and connections at once; no handler of the router runs afterwards.
    void stop();

 private:
    class Core;
    std::shared_ptr<Core> core_;
};

}  // namespace trestle
