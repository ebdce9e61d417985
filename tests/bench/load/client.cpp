#include "client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace {
constexpr size_t kReadChunk = 256 * 1024;
}

Loop::Loop() : ep_(epoll_create1(EPOLL_CLOEXEC)), events_(1024), scratch_(kReadChunk * 2) {
    if (ep_ < 0) die_errno("epoll_create1");
}

Loop::~Loop() { close(ep_); }

std::unique_ptr<Client> Loop::open(const Target& t, const std::string& id, uint32_t ordinal) {
    auto c = std::make_unique<Client>();
    c->loop_ = this;
    c->v5_ = t.v5;
    c->fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd_ < 0) die_errno("socket");
    const int one = 1;
    setsockopt(c->fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (t.spread) {
        setsockopt(c->fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        sockaddr_in src{};
        src.sin_family = AF_INET;
        src.sin_addr.s_addr = htonl(0x7f000101u + ordinal / t.spread);
        if (bind(c->fd_, reinterpret_cast<sockaddr*>(&src), sizeof src)) die_errno("bind source");
    }
    sockaddr_in dst{};
    dst.sin_family = AF_INET;
    dst.sin_port = htons(t.port);
    if (inet_pton(AF_INET, t.host.c_str(), &dst.sin_addr) != 1) die("bad host " + t.host);
    if (connect(c->fd_, reinterpret_cast<sockaddr*>(&dst), sizeof dst) && errno != EINPROGRESS)
        die_errno("connect");
    wire::put_connect(c->out, t.v5, id, t.keepalive, true);
    epoll_event ev{};
    ev.events = EPOLLIN | EPOLLOUT;
    ev.data.ptr = c.get();
    c->want_out_ = true;
    if (epoll_ctl(ep_, EPOLL_CTL_ADD, c->fd_, &ev)) die_errno("epoll_ctl");
    return c;
}

void Loop::add_foreign(int fd) {
    epoll_event ev{};
    ev.events = EPOLLIN | EPOLLET;
    ev.data.ptr = nullptr;
    if (epoll_ctl(ep_, EPOLL_CTL_ADD, fd, &ev)) die_errno("epoll_ctl foreign");
}

void Loop::poll(int64_t timeout_ns) {
    timespec ts{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    const int n = epoll_pwait2(ep_, events_.data(), int(events_.size()),
                               timeout_ns < 0 ? nullptr : &ts, nullptr);
    if (n < 0) {
        if (errno == EINTR) return;
        die_errno("epoll_pwait2");
    }
    for (int i = 0; i < n; ++i) {
        auto* c = static_cast<Client*>(events_[size_t(i)].data.ptr);
        if (!c || c->closed) continue;
        const uint32_t e = events_[size_t(i)].events;
        if (e & (EPOLLIN | EPOLLHUP | EPOLLERR)) c->readable();
        if (!c->closed && (e & EPOLLOUT)) c->flush();
    }
}

bool Loop::run_until(const std::function<bool()>& done, uint64_t timeout_ms) {
    const uint64_t deadline = now_ns() + timeout_ms * 1'000'000;
    while (!done()) {
        if (now_ns() > deadline) return false;
        poll(5'000'000);
    }
    return true;
}

void Client::fail(const char* why) {
    if (closed) return;
    closed = true;
    ++loop_->closed_count;
    if (!loop_->quiet && loop_->closed_count <= 5)
        std::fprintf(stderr, "mqttload: connection %d closed: %s\n", index, why);
    close(fd_);
}

void Client::flush() {
    if (closed) return;
    while (out_at_ < out.size()) {
        const ssize_t n = send(fd_, out.data() + out_at_, out.size() - out_at_, MSG_NOSIGNAL);
        if (n > 0) {
            out_at_ += size_t(n);
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS)) break;
        return fail(std::strerror(errno));
    }
    if (out_at_ == out.size()) {
        out.clear();
        out_at_ = 0;
    } else if (out_at_ > (1u << 20)) {
        out.erase(out.begin(), out.begin() + std::ptrdiff_t(out_at_));
        out_at_ = 0;
    }
    const bool want = !out.empty();
    if (want != want_out_) {
        want_out_ = want;
        epoll_event ev{};
        ev.events = EPOLLIN | (want ? uint32_t(EPOLLOUT) : 0u);
        ev.data.ptr = this;
        epoll_ctl(loop_->ep_, EPOLL_CTL_MOD, fd_, &ev);
    }
}

void Client::readable() {
    // Whole packets are parsed in the shared scratch buffer; only a cut-off
    // last packet is kept per connection.
    wire::Bytes& s = loop_->scratch_;
    const size_t kept = partial_.size();
    if (s.size() < kept + kReadChunk) s.resize(kept + kReadChunk);
    if (kept) std::memcpy(s.data(), partial_.data(), kept);
    const ssize_t n = recv(fd_, s.data() + kept, kReadChunk, 0);
    if (n == 0) return fail("peer closed");
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        return fail(std::strerror(errno));
    }
    const uint8_t* p = s.data();
    const uint8_t* const end = p + kept + size_t(n);
    while (end - p >= 2) {
        uint32_t len;
        const int vl = wire::get_varint(p + 1, end, len);
        if (vl < 0) return fail("malformed length");
        if (vl == 0 || size_t(end - p) < size_t(1 + vl) + len) break;
        dispatch(Packet{uint8_t(p[0] >> 4), uint8_t(p[0] & 15), p + 1 + vl, len});
        if (closed) return;
        p += size_t(1 + vl) + len;
    }
    partial_.assign(p, end);
    if (!out.empty() && !want_out_) flush();
}

void Client::dispatch(const Packet& k) {
    switch (k.type) {
        case wire::CONNACK: {
            if (k.size < 2 || k.body[1] != 0) return fail("CONNACK refused");
            connected = true;
            if (!v5_) return;
            const uint8_t *p = k.body + 2, *end = k.body + k.size;
            uint32_t len;
            const int vl = wire::get_varint(p, end, len);
            if (vl <= 0) return;
            p += vl;
            while (p < end) {  // the properties a generator cares about, skipping others by type
                const uint8_t id = *p++;
                switch (id) {
                    case 0x21:
                        server_receive_max = wire::get16(p);
                        p += 2;
                        break;
                    case 0x22:
                        server_alias_max = wire::get16(p);
                        p += 2;
                        break;
                    case 0x13:
                        p += 2;
                        break;
                    case 0x11:
                    case 0x27:
                        p += 4;
                        break;
                    case 0x24:
                    case 0x25:
                    case 0x28:
                    case 0x29:
                    case 0x2a:
                        p += 1;
                        break;
                    case 0x26:
                        p += 2 + wire::get16(p);
                        p += 2 + wire::get16(p);
                        break;
                    default:
                        p += 2 + wire::get16(p);
                        break;
                }
            }
            return;
        }
        case wire::SUBACK: {
            uint32_t at = 2, len = 0;
            if (v5_) {
                const int vl = wire::get_varint(k.body + 2, k.body + k.size, len);
                at += uint32_t(vl) + len;
            }
            for (; at < k.size; ++at) {
                ++subacks;
                if (k.body[at] & 0x80) ++suback_failures;
            }
            return;
        }
        case wire::PUBREC:  // sender side of QoS 2
            wire::put_ack(out, wire::PUBREL, wire::get16(k.body));
            return;
        case wire::PUBREL:  // receiver side of QoS 2
            wire::put_ack(out, wire::PUBCOMP, wire::get16(k.body));
            return;
        case wire::DISCONNECT:
            return fail("DISCONNECT from server");
        default:
            if (on_packet) on_packet(*this, k);
    }
}
