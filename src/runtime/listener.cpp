// Listening sockets: TCP over IPv4 and IPv6, and unix sockets.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "core/timer_queue.h"
#include "plugin_api/net.h"

namespace trestle {

namespace {

constexpr int kBacklog = 4096;       // the kernel lowers it to its own limit
constexpr int kAcceptsPerWake = 64;  // then others have their turn
constexpr uint64_t kRestMs = 100;    // when descriptors have run out
constexpr rlim_t kReserve = 64;      // descriptors that clients do not get, but of few an eighth

using Descriptor = boost::asio::posix::stream_descriptor;

[[noreturn]] void cannot_listen(const Uri& uri, const std::string& why) {
    throw std::runtime_error("cannot listen on " + uri.text() + ": " + why);
}

PeerInfo peer_of(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address);
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        return {std::string(text) + ":" + std::to_string(ntohs(in.sin_port)),
                (ntohl(in.sin_addr.s_addr) >> 24) == 127};
    }
    if (address.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
        return {"[" + std::string(text) + "]:" + std::to_string(ntohs(in.sin6_port)),
                IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) != 0};
    }
    return {"unix", true};
}

/// A descriptor that closes itself until it is given away.
class Fd {
 public:
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    Fd(const Fd&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

 private:
    int fd_;
};

int bind_unix(const Uri& uri) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (uri.path.size() >= sizeof address.sun_path) cannot_listen(uri, "the path is too long");
    std::memcpy(address.sun_path, uri.path.data(), uri.path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) cannot_listen(uri, std::strerror(errno));
    const auto* plain = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(fd.get(), plain, sizeof address) == 0) return fd.release();
    if (errno != EADDRINUSE) cannot_listen(uri, std::strerror(errno));
    struct stat file {};
    if (::lstat(uri.path.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode)) {
        cannot_listen(uri, "the file exists and is not a socket");
    }
    // A socket file that nobody listens on is what a crash left behind.
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), plain, sizeof address) == 0 || errno != ECONNREFUSED) {
        cannot_listen(uri, "Address already in use");
    }
    ::unlink(uri.path.c_str());
    if (::bind(fd.get(), plain, sizeof address) != 0) cannot_listen(uri, std::strerror(errno));
    return fd.release();
}

int bind_tcp(const Uri& uri) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_ADDRCONFIG;
    if (uri.host == "*") hints.ai_family = AF_INET6;
    const std::string port = std::to_string(uri.port);
    addrinfo* found = nullptr;
    const bool any = uri.host == "*";
    int error = ::getaddrinfo(any ? "::" : uri.host.c_str(), port.c_str(), &hints, &found);
    if (error != 0 && !any) {
        hints.ai_flags = AI_PASSIVE;  // loopback addresses on a machine without others
        error = ::getaddrinfo(uri.host.c_str(), port.c_str(), &hints, &found);
    }
    if (error != 0 && any) {
        hints.ai_family = AF_INET;
        error = ::getaddrinfo("0.0.0.0", port.c_str(), &hints, &found);
    }
    if (error != 0) cannot_listen(uri, ::gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(found, ::freeaddrinfo);
    Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) cannot_listen(uri, std::strerror(errno));
    const int yes = 1;
    const int no = 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (found->ai_family == AF_INET6) {
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, any ? &no : &yes, sizeof yes);
    }
    if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) {
        const int cause = errno;
        cannot_listen(uri, std::strerror(cause) + std::string(bind_advice(cause)));
    }
    return fd.release();
}

class SocketListener final : public Listener {
 public:
    SocketListener(Shard& shard, const Uri& uri, std::function<void(Accepted)> accept, Log log)
        : descriptor_(shard.io(), uri.is_local ? bind_unix(uri) : bind_tcp(uri)),
          shard_(shard),
          accept_(std::move(accept)),
          log_(std::move(log)),
          most_descriptors_(descriptors_for_clients()),
          rest_timer_(
              shard.timers(), [](void* self) { static_cast<SocketListener*>(self)->arm(); }, this),
          life_(std::make_shared<SocketListener*>(this)) {
        if (uri.is_local) path_ = uri.path;
        if (::listen(descriptor_.native_handle(), kBacklog) != 0) {
            cannot_listen(uri, std::strerror(errno));
        }
        arm();
    }
    ~SocketListener() override {
        *life_ = nullptr;
        close();
    }
    SocketListener(const SocketListener&) = delete;

    void close() override {
        if (!descriptor_.is_open()) return;
        rest_timer_.cancel();
        boost::system::error_code ignored;
        descriptor_.close(ignored);
        if (!path_.empty()) ::unlink(path_.c_str());
    }

    [[nodiscard]] uint16_t port() const override {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        const int fd = const_cast<Descriptor&>(descriptor_).native_handle();
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
        if (address.ss_family == AF_INET6) {
            return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
        }
        return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
    }

 private:
    void arm() {
        descriptor_.async_wait(Descriptor::wait_read,
                               [life = life_](const boost::system::error_code& error) {
                                   if (!error && *life != nullptr) (*life)->accept_some();
                               });
    }

    void accept_some() {
        const auto life = life_;
        shard_.touch_clock();  // timeouts of the new connections count from now
        for (int i = 0; i < kAcceptsPerWake && descriptor_.is_open(); ++i) {
            sockaddr_storage address{};
            socklen_t size = sizeof address;
            const int fd =
                ::accept4(descriptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                if (errno == EINTR || errno == ECONNABORTED) continue;
                if (errno == EAGAIN) break;
                // Out of descriptors or memory: spinning would not help anybody.
                log_.limited(trouble_, RepeatLimit::Clock::now(), LogLevel::warn,
                             "new connections wait: {}", std::strerror(errno));
                rest_timer_.set(shard_.now_ms() + kRestMs);
                return;
            }
            // The kernel gives the lowest number that is free.
            if (static_cast<size_t>(fd) >= most_descriptors_) {
                ::close(fd);
                log_.limited(trouble_, RepeatLimit::Clock::now(), LogLevel::warn,
                             "a connection is refused: {} descriptors are in use, the rest is kept "
                             "for the admin side (a higher limit: LimitNOFILE of systemd, ulimit "
                             "-n)",
                             most_descriptors_);
                continue;
            }
            const int yes = 1;
            if (path_.empty()) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            accept_(Accepted(fd, peer_of(address)));
            if (*life == nullptr) return;
        }
        if (descriptor_.is_open()) arm();
    }

    Descriptor descriptor_;
    Shard& shard_;
    std::function<void(Accepted)> accept_;
    Log log_;
    RepeatLimit trouble_{1, std::chrono::seconds(10)};
    size_t most_descriptors_;
    Timer rest_timer_;
    std::shared_ptr<SocketListener*> life_;
    std::string path_;
};

}  // namespace

Accepted::~Accepted() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

size_t descriptors_for_clients() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return SIZE_MAX;
    return limit.rlim_cur - std::min(kReserve, limit.rlim_cur / 8);
}

std::string_view bind_advice(int error) noexcept {
    if (error != EACCES) return {};
    return " (a port below 1024 needs the capability CAP_NET_BIND_SERVICE, or a lower sysctl "
           "net.ipv4.ip_unprivileged_port_start)";
}

std::unique_ptr<Listener> listen(Shard& shard, const Uri& uri, std::function<void(Accepted)> accept,
                                 Log log) {
    return std::make_unique<SocketListener>(shard, uri, std::move(accept), std::move(log));
}

}  // namespace trestle
