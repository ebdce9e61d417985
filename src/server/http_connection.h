// One peer of the HTTP server: requests in, answers and streams out.
//
// Lives on the server's thread. It is held by the server's set and by the operation under way; when
// both let go, it is gone. What a peer gets wrong costs it its own connection only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "server/http_server.h"

namespace trestle {

class HttpConnection {
 public:
    using Clock = std::chrono::steady_clock;

    virtual ~HttpConnection() = default;
    virtual void start() = 0;
    /// Closes the socket; what is under way ends with an error, later.
    virtual void close() = 0;
    /// Since when the peer may send its next request, or has sent a part of it; nothing while an
    /// answer is under way.
    [[nodiscard]] virtual std::optional<Clock::time_point> waiting_since() const = 0;
};

/// What all connections of a server share.
struct HttpShared {
    const Router& router;
    HttpLimits limits;
    std::function<void(const std::shared_ptr<HttpConnection>&)> gone;
    size_t streams = 0;  // answers that go on
    bool stopped = false;
};

std::shared_ptr<HttpConnection> make_http_connection(boost::asio::ip::tcp::socket socket,
                                                     std::shared_ptr<HttpShared> shared);

}  // namespace trestle
