// The other end of a socket, played by the test with plain blocking calls; and a stream's user
// whose doings are hooks.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fake_stream.h"
#include "plugin_api/net.h"

namespace trestle::test {

class Peer {
 public:
    explicit Peer(int fd = -1) : fd_(fd) {}
    Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Peer& operator=(Peer&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Peer() { close(); }
    static Peer tcp(int family, uint16_t port) {
        Peer peer(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        int failed = 0;
        if (family == AF_INET6) {
            sockaddr_in6 to{};
            to.sin6_family = AF_INET6;
            to.sin6_addr = in6addr_loopback;
            to.sin6_port = htons(port);
            failed = ::connect(peer.fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
        } else {
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            to.sin_port = htons(port);
            failed = ::connect(peer.fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
        }
        if (failed != 0) peer.close();
        return peer;
    }
    static Peer local(const std::string& path) {
        Peer peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::memcpy(to.sun_path, path.data(), path.size());
        if (::connect(peer.fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) peer.close();
        return peer;
    }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool connected() const { return fd_ >= 0; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    void reset() {
        const linger hard{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<size_t>(n));
        }
        return true;
    }
    /// Up to `size` bytes; fewer at the end of the stream or when nothing comes for long.
    std::string read(size_t size) {
        std::string all;
        char buffer[65536];
        while (all.size() < size) {
            pollfd wait{fd_, POLLIN, 0};
            if (::poll(&wait, 1, 20'000) <= 0) break;
            const ssize_t n = ::recv(fd_, buffer, std::min(sizeof buffer, size - all.size()), 0);
            error = n < 0 ? errno : 0;
            ended = n == 0;
            if (n <= 0) break;
            all.append(buffer, static_cast<size_t>(n));
        }
        return all;
    }
    std::string read_all() { return read(SIZE_MAX); }

    bool ended = false;  // the last read saw the end of the stream
    int error = 0;       // or this

 private:
    int fd_;
};

/// A stream's user; used on its shard. Without hooks it eats everything and writes it down.
class User final : public ByteStreamHandler {
 public:
    explicit User(Board& board) : board_(board) {}
    size_t on_bytes(std::string_view bytes) override {
        if (on_read) return on_read(bytes);
        board_.note([&](Board& b) { b.received += bytes; });
        return bytes.size();
    }
    void on_output_drained() override {
        board_.note([](Board& b) { ++b.drained; });
        if (on_drained) on_drained();
    }
    void on_closed(std::string_view why) override {
        stream.reset();
        board_.note([&](Board& b) {
            ++b.closed;
            b.closed_why = why;
        });
    }
    void take(std::unique_ptr<ByteStream> taken) {
        stream = std::move(taken);
        stream->start(*this);
    }

    std::unique_ptr<ByteStream> stream;
    std::function<size_t(std::string_view)> on_read;
    std::function<void()> on_drained;

 private:
    Board& board_;
};

}  // namespace trestle::test
