#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <stdexcept>
#include <utility>

namespace trestle::test {

std::string frame(uint8_t opcode, std::string_view payload, bool fin, bool masked) {
    std::string out;
    out += static_cast<char>(opcode | (fin ? 0x80 : 0));
    const char mask_bit = masked ? '\x80' : '\0';
    if (payload.size() < 126) {
        out += static_cast<char>(payload.size() | static_cast<uint8_t>(mask_bit));
    } else {
        const int bytes = payload.size() < 65536 ? 2 : 8;
        out += static_cast<char>((bytes == 2 ? 126 : 127) | static_cast<uint8_t>(mask_bit));
        for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(payload.size() >> (8 * i));
    }
    if (!masked) return out.append(payload);
    const char key[4] = {'\x12', '\x34', '\x56', '\x78'};
    out.append(key, 4);
    for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
    return out;
}

std::string close_frame(uint16_t code) {
    const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code)};
    return frame(kClose, {payload, 2});
}

std::string upgrade_request(const Headers& changed, std::string_view line) {
    Headers headers = {
        {"Host", "localhost"},           {"Upgrade", "websocket"},
        {"Connection", "Upgrade"},       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
        {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "mqtt"}};
    for (auto [name, value] : changed) {
        const bool once_more = name.ends_with('+');
        if (once_more) name.pop_back();
        bool replaced = false;
        for (auto& header : headers) {
            if (header.first == name && !once_more) {
                header.second = value;
                replaced = true;
            }
        }
        if (!replaced) headers.emplace_back(name, value);
    }
    std::string out = std::string(line) + "\r\n";
    for (const auto& [name, value] : headers) {
        if (value != "-") out += name + ": " + value + "\r\n";
    }
    return out + "\r\n";
}

Client::Client(uint16_t port, bool ipv6)
    : fd_(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    int result = 0;
    if (ipv6) {
        sockaddr_in6 to{};
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(port);
        to.sin6_addr = in6addr_loopback;
        result = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
    } else {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    if (result != 0) throw std::runtime_error("the test's client cannot connect");
}

Client::~Client() { ::close(fd_); }

void Client::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;  // the server has gone: what it says about that is looked at
        bytes.remove_prefix(static_cast<size_t>(sent));
    }
}

void Client::half_close() const { ::shutdown(fd_, SHUT_WR); }

bool Client::fill() {
    char chunk[65536];
    const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer_.append(chunk, static_cast<size_t>(got));
    return true;
}

std::string Client::answer() {
    size_t head = 0;
    while ((head = buffer_.find("\r\n\r\n")) == buffer_.npos) {
        if (!fill()) return std::exchange(buffer_, {});
    }
    size_t size = head + 4;
    const size_t length = buffer_.find("Content-Length: ");
    if (length != buffer_.npos && length < head) size += std::stoul(buffer_.substr(length + 16));
    while (buffer_.size() < size) {
        if (!fill()) break;
    }
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
}

bool Client::upgrade(const Headers& changed) {
    send(upgrade_request(changed));
    return answer().starts_with("HTTP/1.1 101 ");
}

std::optional<Frame> Client::next() {
    const auto need = [this](size_t count) {
        while (buffer_.size() < count) {
            if (!fill()) return false;
        }
        return true;
    };
    if (!need(2)) return {};
    size_t size = static_cast<uint8_t>(buffer_[1]) & 0x7f;
    size_t head = 2;
    if (size >= 126) {
        const size_t bytes = size == 126 ? 2 : 8;
        head += bytes;
        if (!need(head)) return {};
        size = 0;
        for (size_t i = 2; i < head; ++i) size = size << 8 | static_cast<uint8_t>(buffer_[i]);
    }
    if (!need(head + size)) return {};
    Frame out{static_cast<uint8_t>(buffer_[0]), buffer_.substr(head, size)};
    buffer_.erase(0, head + size);
    return out;
}

std::string Client::bytes(size_t count) {
    std::string out;
    while (out.size() < count) {
        const auto one = next();
        if (!one) break;
        if (one->opcode() < kClose) out += one->payload;
    }
    return out;
}

int Client::close_code() {
    while (const auto one = next()) {
        if (one->opcode() != kClose || one->payload.size() < 2) continue;
        return static_cast<uint8_t>(one->payload[0]) << 8 | static_cast<uint8_t>(one->payload[1]);
    }
    return 0;
}

bool Client::ended() {
    for (;;) {
        char chunk[65536];
        const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
        if (got == 0) return true;
        if (got < 0) return errno == ECONNRESET;
    }
}

}  // namespace trestle::test
