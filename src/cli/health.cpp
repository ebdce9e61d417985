#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ostream>

#include "cli/commands.h"
#include "plugin_api/uri.h"
#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTimeout = std::chrono::seconds(2);
constexpr size_t kLargestAnswer = 64 * 1024;

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
    char chunk[4096];
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

// The whole answer to GET /readyz; `problem` says why there is none.
std::string ask_ready(const Uri& uri, std::string& problem) {
    // A server that listens everywhere also listens here.
    std::string host = uri.host;
    if (host == "*" || host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(host.c_str(), std::to_string(uri.port).c_str(), &hints, &found);
    if (failed != 0) {
        problem = ::gai_strerror(failed);
        return {};
    }
    const auto deadline = Clock::now() + kTimeout;
    std::string answer;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        const Socket socket(
            ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const std::string request = "GET /readyz HTTP/1.1\r\nHost: " + host + ":" +
                                    std::to_string(uri.port) +
                                    "\r\nUser-Agent: trestle-health\r\nConnection: close\r\n\r\n";
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

int health_command(const ConfigArguments& arguments, std::ostream& out, std::ostream& err) {
    ConfigFaults faults(arguments.file);
    const auto admin = Config::load_admin(arguments.file, arguments.sets, faults);
    if (!admin) {
        for (const auto& line : faults.lines()) err << line << "\n";
        return kFailed;
    }
    // The probe listener needs no token.
    const std::string& address = admin->probe_listen.empty() ? admin->listen : admin->probe_listen;
    const ParsedUri parsed = parse_uri(address);
    if (!parsed.uri || parsed.uri->is_local || parsed.uri->port == 0) {
        err << "trestle health: " << arguments.file
            << " has neither admin.listen nor admin.probe_listen with a port to ask\n";
        return kFailed;
    }
    std::string problem;
    const std::string answer = ask_ready(*parsed.uri, problem);
    if (!problem.empty()) {
        err << "trestle health: " << address << ": " << problem << "\n";
        return kFailed;
    }
    const std::string status = answer.substr(0, answer.find('\r'));
    if (status.starts_with("HTTP/1.1 200") || status.starts_with("HTTP/1.0 200")) {
        out << "ready\n";
        return kFine;
    }
    const size_t body = answer.find("\r\n\r\n");
    err << "trestle health: " << address << ": "
        << (body == std::string::npos ? "no HTTP answer" : status + ": " + answer.substr(body + 4))
        << "\n";
    return kFailed;
}

}  // namespace trestle
