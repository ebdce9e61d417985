// An HTTP server on a thread of its own, and peers that talk to it over real loopback sockets:
// plain blocking ones.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include "plugin_api/metrics.h"
#include "server/http_server.h"
#include "server/probes.h"
#include "server/router.h"

namespace trestle {

class Peer {
 public:
    explicit Peer(uint16_t port, bool is_v6 = false)
        : fd_(socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0)) {
        give_up_reading_after(std::chrono::seconds(10));  // a test that would hang fails instead
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        v6.sin6_addr = in6addr_loopback;
        const int failed = is_v6 ? connect(fd_, reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                                 : connect(fd_, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
        if (failed != 0) {
            ::close(fd_);
            throw std::runtime_error("cannot connect");
        }
    }
    void give_up_reading_after(std::chrono::milliseconds time) {
        const timeval limit{time.count() / 1000, time.count() % 1000 * 1000};
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~Peer() { ::close(fd_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return;
            bytes.remove_prefix(static_cast<size_t>(n));
        }
    }
    /// One answer, by its Content-Length; a HEAD answer has none of its body.
    std::string answer(bool is_head = false) {
        size_t end = std::string::npos;
        while ((end = read_.find("\r\n\r\n")) == std::string::npos) {
            if (!read_more()) return std::exchange(read_, {});
        }
        end += 4;
        if (const size_t at = read_.find("Content-Length: "); !is_head && at < end) {
            end += std::stoul(read_.substr(at + 16));
        }
        while (read_.size() < end && read_more()) {
        }
        std::string result = read_.substr(0, end);
        read_.erase(0, end);
        return result;
    }
    /// Everything until the server closes; ends with "TIMEOUT" or "RESET" if it does not, or not
    /// well.
    std::string all() {
        while (read_more()) {
        }
        return std::exchange(read_, {});
    }

 private:
    bool read_more() {
        char bytes[4096];
        const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
        if (n < 0) read_ += errno == ECONNRESET ? "RESET" : "TIMEOUT";
        if (n <= 0) return false;
        read_.append(bytes, static_cast<size_t>(n));
        return true;
    }
    int fd_;
    std::string read_;
};

constexpr size_t kLarge = 32'000'000;  // more than the buffers of a loopback socket take

class HttpServerTest : public testing::Test {
 protected:
    void start(HttpLimits limits = {}) {
        router_.exact("GET", "/hello",
                      [](const HttpRequest&) { return HttpResponse::text(200, "hi"); });
        router_.exact("POST", "/echo", [](const HttpRequest& request) {
            return HttpResponse::text(200, request.body);
        });
        router_.prefix("GET", "/api/v1/", [](const HttpRequest& request) {
            return HttpResponse::text(200, std::string(request.path) + "|" +
                                               std::string(request.query) + "|" +
                                               std::string(request.header("x-thing")));
        });
        router_.exact("GET", "/broken", [](const HttpRequest&) -> HttpResponse {
            throw std::runtime_error("out of luck");
        });
        router_.exact("GET", "/large", [](const HttpRequest&) {
            return HttpResponse::text(200, std::string(kLarge, 'x'));
        });
        add_probes(
            router_, metrics_, [this] { return hung_; }, [this] { return reasons_; });
        server_.emplace(io_, router_, limits);
        ASSERT_EQ(server_->listen("http://127.0.0.1:0"), "");
        port_ = server_->ports().at(0);
        thread_ = std::thread([this] { io_.run(); });
    }
    template <class F>
    auto on_loop(F f) {
        std::packaged_task<decltype(f())()> task(f);
        auto result = task.get_future();
        boost::asio::post(io_, [&task] { task(); });
        return result.get();
    }
    void TearDown() override {
        if (thread_.joinable()) {
            on_loop([this] { server_.reset(); });
            work_.reset();
            thread_.join();  // ends only when no operation of the server is left
        }
    }
    std::string ask(std::string_view request) {
        Peer peer(port_);
        peer.send(request);
        return peer.answer();
    }
    size_t connections() {
        return on_loop([this] { return server_->connections(); });
    }
    size_t busy_connections() {
        return on_loop([this] { return server_->busy_connections(); });
    }
    /// Asks the loop until it is so; each question is a turn of the loop, so no time is slept away.
    template <class F>
    static bool eventually(F condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < end) {
            if (condition()) return true;
            std::this_thread::yield();
        }
        return false;
    }
    static std::string get(std::string_view path) {
        return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    }

    boost::asio::io_context io_{1};
    std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{
        io_.get_executor()};
    Metrics metrics_{1};
    std::vector<std::string> hung_, reasons_;  // touched only while the loop answers nobody
    Router router_;
    std::optional<HttpServer> server_;
    uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace trestle
