#include "server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace trestle {

namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

template <class Number>
std::optional<Number> number_from(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// Connected, so that each message is one send; -1 when nobody is there.
int connect_to(std::string_view name) {
    sockaddr_un address{};
    if (name.size() < 2 || name.size() >= sizeof address.sun_path) return -1;
    if (name.front() != '/' && name.front() != '@') return -1;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';  // of the abstract namespace
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return -1;
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0) return socket;
    ::close(socket);
    return -1;
}

int64_t monotonic_us() {
    using namespace std::chrono;  // steady_clock is CLOCK_MONOTONIC, which systemd compares with
    return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

ServiceManager::ServiceManager() : socket_(connect_to(environment("NOTIFY_SOCKET"))) {
    if (socket_ < 0) return;
    const auto process = number_from<pid_t>(environment("WATCHDOG_PID"));
    const auto time = number_from<int64_t>(environment("WATCHDOG_USEC"));
    const bool is_for_another = process && *process != ::getpid();
    if (time && *time > 0 && !is_for_another) watchdog_ = std::chrono::microseconds(*time);
}

ServiceManager::~ServiceManager() {
    if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::send(const std::string& lines) const {
    if (socket_ >= 0) (void)!::send(socket_, lines.data(), lines.size(), MSG_NOSIGNAL);
}

void ServiceManager::ready(std::string_view status) const {
    send("READY=1\nSTATUS=" + std::string(status) + "\n");
}

void ServiceManager::reloading() const {
    send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us()) + "\nSTATUS=reloading\n");
}

void ServiceManager::stopping(std::chrono::milliseconds at_most) const {
    send("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=" +
         std::to_string(std::chrono::microseconds(at_most).count()) + "\n");
}

void ServiceManager::alive() const { send("WATCHDOG=1\n"); }

}  // namespace trestle
