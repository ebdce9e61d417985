#include "cli/http_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace trestle {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLargestAnswer = 64u << 20;

class Socket {
 public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int get() const { return descriptor_; }

 private:
    int descriptor_;
};

// False when the deadline passes first.
bool wait_for(int descriptor, short events, Clock::time_point deadline) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd poll{descriptor, events, 0};
        const int ready = left <= 0 ? 0 : ::poll(&poll, 1, static_cast<int>(left));
        if (ready > 0) return true;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (errno != EINTR) return false;
    }
}

bool connect_to(int descriptor, const addrinfo& address, Clock::time_point deadline) {
    if (::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS || !wait_for(descriptor, POLLOUT, deadline)) return false;
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size);
    errno = problem;
    return problem == 0;
}

bool send_all(int descriptor, std::string_view text, Clock::time_point deadline) {
    while (!text.empty()) {
        const ssize_t sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            text.remove_prefix(static_cast<size_t>(sent));
        } else if (errno != EAGAIN || !wait_for(descriptor, POLLOUT, deadline)) {
            return false;
        }
    }
    return true;
}

bool receive_all(int descriptor, std::string& answer, Clock::time_point deadline) {
    char chunk[16384];
    while (answer.size() < kLargestAnswer) {
        const ssize_t got = ::recv(descriptor, chunk, sizeof chunk, 0);
        if (got == 0) return true;
        if (got > 0) {
            answer.append(chunk, static_cast<size_t>(got));
        } else if (errno != EAGAIN || !wait_for(descriptor, POLLIN, deadline)) {
            return false;
        }
    }
    return true;
}

// The whole answer, head and body; `problem` says why there is none.
std::string ask(const Uri& server, const std::string& request, std::chrono::milliseconds timeout,
                std::string& problem) {
    // A server that listens everywhere also listens here.
    std::string host = server.host;
    if (host == "*" || host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
    if (failed != 0) {
        problem = ::gai_strerror(failed);
        return {};
    }
    const auto deadline = Clock::now() + timeout;
    std::string answer;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        const Socket socket(
            ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        problem.clear();
        answer.clear();
        if (socket.get() >= 0 && connect_to(socket.get(), *one, deadline) &&
            send_all(socket.get(), request, deadline) &&
            receive_all(socket.get(), answer, deadline)) {
            break;
        }
        problem = std::strerror(errno);
    }
    ::freeaddrinfo(found);
    return answer;
}

}  // namespace

HttpAnswer http_get(const Uri& server, const std::string& path, const std::string& token,
                    std::chrono::milliseconds timeout) {
    // An IP address or localhost, whatever name the config has: see admin_guard.h.
    std::string request = "GET " + path +
                          " HTTP/1.1\r\nHost: localhost:" + std::to_string(server.port) +
                          "\r\nUser-Agent: trestle\r\nConnection: close\r\n";
    if (!token.empty()) request += "Authorization: Bearer " + token + "\r\n";
    request += "\r\n";
    HttpAnswer answer;
    std::string text = ask(server, request, timeout, answer.problem);
    if (!answer.problem.empty()) return answer;
    const size_t body = text.find("\r\n\r\n");
    if (body == std::string::npos) {
        answer.problem = "no HTTP answer";
        return answer;
    }
    answer.status = text.substr(0, text.find('\r'));
    answer.body = text.substr(body + 4);
    return answer;
}

}  // namespace trestle
