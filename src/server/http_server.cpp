#include "server/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_set>
#include <utility>

#include "plugin_api/net.h"
#include "server/http_address.h"
#include "server/http_answer.h"
#include "server/http_connection.h"
#include "server/router.h"

namespace trestle {

namespace net = boost::asio;
using boost::system::error_code;
using Tcp = net::ip::tcp;

namespace {

constexpr std::chrono::milliseconds kAcceptRetry{100};

}  // namespace

/// What lives as long as a listener has work under way.
class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
    Core(net::io_context& context, const Router& router, const HttpLimits& limits)
        : io(context), shared(std::make_shared<HttpShared>(HttpShared{router, limits, {}})) {}

    std::string listen(const Tcp::endpoint& endpoint, std::string_view uri);
    void stop();

    net::io_context& io;
    std::shared_ptr<HttpShared> shared;
    std::unordered_set<std::shared_ptr<HttpConnection>> connections;
    std::vector<uint16_t> ports;

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
            if (self->shared->stopped) return;
            if (error) return self->accept_later(listener);
            self->admit(std::move(socket));
            self->accept(listener);
        });
}

void HttpServer::Core::accept_later(Listener& listener) {
    // Out of descriptors, most likely: asking again at once would spin.
    listener.retry.expires_after(kAcceptRetry);
    listener.retry.async_wait([self = shared_from_this(), &listener](const error_code&) {
        if (!self->shared->stopped) self->accept(listener);
    });
}

bool HttpServer::Core::make_room() {
    if (connections.size() < shared->limits.max_connections) return true;
    std::shared_ptr<HttpConnection> oldest;
    for (const auto& connection : connections) {
        if (!connection->waiting_since()) continue;
        if (!oldest || *connection->waiting_since() < *oldest->waiting_since()) oldest = connection;
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
        if (!shared->gone) {
            shared->gone = [self = weak_from_this()](const auto& connection) {
                if (const auto core = self.lock()) core->connections.erase(connection);
            };
        }
        auto connection = make_http_connection(std::move(socket), shared);
        connections.insert(connection);
        connection->start();
        return;
    }
    const auto refusal = HttpResponse::text(503, "Too many connections are open.");
    const std::string bytes = http_head(refusal, false, false) + refusal.body;
    socket.non_blocking(true, ignored);
    socket.write_some(net::buffer(bytes), ignored);  // a new socket has room for it
    socket.close(ignored);
}

void HttpServer::Core::stop() {
    shared->stopped = true;
    error_code ignored;
    for (auto& listener : listeners_) {
        listener->acceptor.close(ignored);
        listener->retry.cancel();
    }
    for (const auto& connection : connections) connection->close();
    connections.clear();
}

// --- The server

HttpServer::HttpServer(net::io_context& io, const Router& router, HttpLimits limits)
    : core_(std::make_shared<Core>(io, router, limits)) {}

HttpServer::~HttpServer() { stop(); }

std::string HttpServer::listen(std::string_view uri) {
    const auto address = parse_http_address(uri);
    return address.fault.empty() ? core_->listen(address.endpoint, uri) : address.fault;
}

std::string HttpServer::fault_of(std::string_view uri) { return parse_http_address(uri).fault; }

const std::vector<uint16_t>& HttpServer::ports() const { return core_->ports; }
size_t HttpServer::connections() const { return core_->connections.size(); }

size_t HttpServer::busy_connections() const {
    return static_cast<size_t>(std::count_if(core_->connections.begin(), core_->connections.end(),
                                             [](const auto& c) { return !c->waiting_since(); }));
}

void HttpServer::stop() { core_->stop(); }

}  // namespace trestle
