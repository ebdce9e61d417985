// What this machine can do without a broker.
//
//   rawlimit tcp   --size 96 --chunk 65536 --messages 20M     one TCP stream, records batched per
//   write rawlimit zmq   --pattern pub|push --size 64 --messages 2M one libzmq hop over TCP
//   loopback rawlimit relay --port 1999                                a relay that speaks just
//   enough MQTT
//                  (QoS 0, no topics: every PUBLISH goes to every connection that subscribed)
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <thread>

#include "util.h"
#include "wire.h"

namespace {

double thread_cpu() {
    timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return double(ts.tv_sec) + double(ts.tv_nsec) / 1e9;
}

int listen_on(uint16_t port, int type_flags, uint16_t* got = nullptr) {
    const int fd = socket(AF_INET, SOCK_STREAM | type_flags, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    if (bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) || listen(fd, 4096))
        die_errno("listen");
    socklen_t n = sizeof a;
    getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n);
    if (got) *got = ntohs(a.sin_port);
    return fd;
}

int run_tcp(Args& args) {
    const size_t payload = args.num("size", 64), chunk = args.num("chunk", 65'536);
    const uint64_t messages = args.num("messages", 20'000'000);
    args.reject_unknown();
    const wire::PublishTemplate t(false, "bench/pair/0/data", 0, payload);
    const size_t record = t.bytes.size();
    uint16_t port;
    const int ls = listen_on(0, 0, &port);
    double send_cpu = 0, recv_cpu = 0;
    uint64_t received = 0, sum = 0;
    const uint64_t t0 = now_ns();
    std::thread sender([&] {
        const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a.sin_port = htons(port);
        if (connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a)) die_errno("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        std::vector<uint8_t> buf(std::max(chunk / record, size_t(1)) * record);
        for (uint64_t sent = 0; sent < messages;) {
            size_t n = 0;
            while (n + record <= buf.size() && sent < messages) {
                std::memcpy(buf.data() + n, t.bytes.data(), record);
                std::memcpy(buf.data() + n + t.payload_at, &sent, sizeof sent);
                n += record;
                ++sent;
            }
            for (size_t at = 0; at < n;) {
                const ssize_t w = write(fd, buf.data() + at, n - at);
                if (w <= 0) die_errno("write");
                at += size_t(w);
            }
        }
        send_cpu = thread_cpu();
        close(fd);
    });
    const int fd = accept(ls, nullptr, nullptr);
    const double r0 = thread_cpu();
    std::vector<uint8_t> buf(512 * 1024);
    size_t kept = 0;
    for (;;) {
        const ssize_t n = read(fd, buf.data() + kept, 256 * 1024);
        if (n <= 0) break;
        const uint8_t *p = buf.data(), *end = p + kept + size_t(n);
        while (end - p >= 2) {
            uint32_t len;
            const int vl = wire::get_varint(p + 1, end, len);
            if (vl <= 0 || size_t(end - p) < size_t(1 + vl) + len) break;
            sum += p[1 + vl + 2];  // look at the topic
            ++received;
            p += size_t(1 + vl) + len;
        }
        kept = size_t(end - p);
        std::memmove(buf.data(), p, kept);
    }
    recv_cpu = thread_cpu() - r0;
    const double s = double(now_ns() - t0) / 1e9;
    sender.join();
    Report r;
    r.add("scenario", std::string("tcp"))
        .add("size", uint64_t(payload))
        .add("record", uint64_t(record));
    r.add("chunk", uint64_t(chunk)).add("per_s", double(received) / s);
    r.add("MiB_per_s", double(received) * double(record) / s / 1048576);
    r.add("send_cpu_s_per_M", send_cpu / (double(received) / 1e6));
    r.add("recv_cpu_s_per_M", recv_cpu / (double(received) / 1e6)).add("check", sum);
    r.print();
    return received == messages ? 0 : 1;
}

struct ZmqReceived {
    std::atomic<uint64_t> count{0};
    double cpu_s = 0;
};

void receive_zmq(bool pub, int address, uint64_t messages, ZmqReceived& shared) {
    char endpoint[128];
    if (read(address, endpoint, sizeof endpoint) != sizeof endpoint) die_errno("read");
    const int hwm = 0;
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, pub ? ZMQ_SUB : ZMQ_PULL);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    if (pub) zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    if (zmq_connect(socket, endpoint)) die("zmq connect");
    zmq_msg_t m;
    zmq_msg_init(&m);
    for (uint64_t i = 0; i < messages && zmq_msg_recv(&m, socket, 0) >= 0;) {
        if (zmq_msg_more(&m)) continue;
        shared.count.store(++i, std::memory_order_relaxed);
    }
    shared.cpu_s = self_cpu_seconds();
}

int run_zmq(Args& args) {
    const std::string pattern = args.str("pattern", "pub");
    const size_t size = args.num("size", 64);
    const uint64_t messages = args.num("messages", 2'000'000);
    const bool two_frames = args.num("frames", 2) == 2;
    args.reject_unknown();
    const bool pub = pattern == "pub";
    const int hwm = 0, linger = -1;
    // The receiver is a process of its own, so that each end's CPU is known.
    void* const memory = mmap(nullptr, sizeof(ZmqReceived), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die_errno("mmap");
    auto& shared = *new (memory) ZmqReceived();
    int address[2];
    if (pipe(address) != 0) die_errno("pipe");
    const pid_t child = fork();
    if (child < 0) die_errno("fork");
    if (child == 0) {
        receive_zmq(pub, address[0], messages, shared);
        _exit(0);
    }
    void* tx_ctx = zmq_ctx_new();
    void* tx = zmq_socket(tx_ctx, pub ? ZMQ_PUB : ZMQ_PUSH);
    zmq_setsockopt(tx, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(tx, ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_bind(tx, "tcp://127.0.0.1:*")) die("zmq bind");
    char endpoint[128]{};
    size_t n = sizeof endpoint;
    zmq_getsockopt(tx, ZMQ_LAST_ENDPOINT, endpoint, &n);
    if (write(address[1], endpoint, sizeof endpoint) != sizeof endpoint) die_errno("write");
    usleep(500'000);
    const double c0 = self_cpu_seconds();
    const uint64_t t0 = now_ns();
    std::vector<uint8_t> body(size, 'x');
    for (uint64_t i = 0; i < messages; ++i) {
        // keep the pipes bounded, as a gateway would have to
        while (i - shared.count.load(std::memory_order_relaxed) > 100'000) usleep(100);
        if (two_frames) zmq_send(tx, "bench/pair/0/data", 17, ZMQ_SNDMORE);
        zmq_send(tx, body.data(), body.size(), 0);
    }
    waitpid(child, nullptr, 0);
    const double s = double(now_ns() - t0) / 1e9, cpu = self_cpu_seconds() - c0;
    zmq_close(tx);
    const double millions = double(messages) / 1e6;
    Report r;
    r.add("scenario", "zmq-" + pattern)
        .add("size", uint64_t(size))
        .add("frames", uint64_t(two_frames ? 2 : 1));
    r.add("per_s", double(messages) / s)
        .add("send_cpu_s_per_M", cpu / millions)
        .add("both_ends_cpu_s_per_M", (cpu + shared.cpu_s) / millions);
    r.print();
    return 0;
}

struct Peer {
    int fd;
    bool subscribed = false, want_out = false, gone = false;
    std::vector<uint8_t> in, out;
    size_t at = 0;
};

int run_relay(Args& args) {
    const auto port = uint16_t(args.num("port", 1999));
    args.reject_unknown();
    const int ls = listen_on(port, SOCK_NONBLOCK);
    const int ep = epoll_create1(0);
    epoll_event ev{};
    ev.events = EPOLLIN;
    ev.data.ptr = nullptr;
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
    std::vector<std::unique_ptr<Peer>> peers;
    std::vector<Peer*> subs, dirty;
    std::vector<uint8_t> buf(512 * 1024);
    auto flush = [&](Peer& p) {
        while (p.at < p.out.size()) {
            const ssize_t w = send(p.fd, p.out.data() + p.at, p.out.size() - p.at, MSG_NOSIGNAL);
            if (w <= 0) break;
            p.at += size_t(w);
        }
        if (p.at == p.out.size()) {
            p.out.clear();
            p.at = 0;
        }
        const bool want = !p.out.empty();
        if (want != p.want_out) {
            p.want_out = want;
            epoll_event e{};
            e.events = EPOLLIN | (want ? uint32_t(EPOLLOUT) : 0u);
            e.data.ptr = &p;
            epoll_ctl(ep, EPOLL_CTL_MOD, p.fd, &e);
        }
    };
    std::vector<epoll_event> events(1024);
    for (;;) {
        const int n = epoll_wait(ep, events.data(), int(events.size()), -1);
        for (int i = 0; i < n; ++i) {
            auto* p = static_cast<Peer*>(events[size_t(i)].data.ptr);
            if (!p) {
                for (int fd; (fd = accept4(ls, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                    const int one = 1;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    peers.push_back(std::make_unique<Peer>());
                    peers.back()->fd = fd;
                    ev.events = EPOLLIN;
                    ev.data.ptr = peers.back().get();
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
                }
                continue;
            }
            if (p->gone) continue;
            if (events[size_t(i)].events & EPOLLOUT) flush(*p);
            if (!(events[size_t(i)].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            const size_t kept = p->in.size();
            if (kept) std::memcpy(buf.data(), p->in.data(), kept);
            const ssize_t got = recv(p->fd, buf.data() + kept, 128 * 1024, 0);
            if (got <= 0) {
                if (got < 0 && errno == EAGAIN) continue;
                close(p->fd);
                p->gone = true;
                std::erase(subs, p);
                continue;
            }
            const uint8_t *at = buf.data(), *end = at + kept + size_t(got);
            while (end - at >= 2) {
                uint32_t len;
                const int vl = wire::get_varint(at + 1, end, len);
                if (vl <= 0 || size_t(end - at) < size_t(1 + vl) + len) break;
                const size_t whole = size_t(1 + vl) + len;
                switch (at[0] >> 4) {
                    case wire::CONNECT:
                        p->out.insert(p->out.end(), {0x20, 2, 0, 0});
                        break;
                    case wire::SUBSCRIBE:
                        p->out.insert(p->out.end(), {0x90, 3, at[1 + vl], at[2 + vl], 0});
                        if (!p->subscribed) subs.push_back(p);
                        p->subscribed = true;
                        break;
                    case wire::PUBLISH:
                        for (Peer* s : subs) {
                            if (s->out.empty()) dirty.push_back(s);
                            s->out.insert(s->out.end(), at, at + whole);
                        }
                        break;
                    default:
                        break;
                }
                at += whole;
            }
            p->in.assign(at, end);
            if (!p->out.empty()) flush(*p);
            for (Peer* s : dirty) flush(*s);
            dirty.clear();
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const std::string cmd = argc > 1 ? argv[1] : "";
    if (cmd.empty()) die("rawlimit tcp|zmq|relay [flags]");
    Args a(argc, argv, 2);
    if (cmd == "tcp") return run_tcp(a);
    if (cmd == "zmq") return run_zmq(a);
    if (cmd == "relay") return run_relay(a);
    die("unknown " + cmd);
}
