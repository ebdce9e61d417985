#include "zmq_io.h"

#include <zmq.h>

#include "util.h"

ZmqPort::ZmqPort(const std::string& kind, const std::string& address, const std::string& hello) {
    ctx_ = zmq_ctx_new();
    const int type = kind == "sub"      ? ZMQ_SUB
                     : kind == "pull"   ? ZMQ_PULL
                     : kind == "dealer" ? ZMQ_DEALER
                     : kind == "pub"    ? ZMQ_PUB
                     : kind == "push"   ? ZMQ_PUSH
                                        : -1;
    if (type < 0) die("unknown ZeroMQ socket kind " + kind);
    sock_ = zmq_socket(ctx_, type);
    const int hwm = 1'000'000, linger = 0;
    zmq_setsockopt(sock_, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(sock_, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt(sock_, ZMQ_LINGER, &linger, sizeof linger);
    if (type == ZMQ_SUB) zmq_setsockopt(sock_, ZMQ_SUBSCRIBE, "", 0);
    const bool binds = !address.empty() && address[0] == '@';
    const char* a = address.c_str() + (binds ? 1 : 0);
    if (binds ? zmq_bind(sock_, a) : zmq_connect(sock_, a))
        die(std::string("zmq ") + a + ": " + zmq_strerror(zmq_errno()));
    if (!hello.empty()) zmq_send(sock_, hello.data(), hello.size(), 0);
}

ZmqPort::~ZmqPort() {
    zmq_close(sock_);
    zmq_ctx_term(ctx_);
}

int ZmqPort::wake_fd() const {
    int fd = -1;
    size_t n = sizeof fd;
    zmq_getsockopt(sock_, ZMQ_FD, &fd, &n);
    return fd;
}

uint64_t ZmqPort::drain(const std::function<void(const uint8_t*, size_t)>& f, uint64_t limit) {
    uint64_t got = 0;
    zmq_msg_t m;
    zmq_msg_init(&m);
    while (got < limit && zmq_msg_recv(&m, sock_, ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_more(&m)) continue;
        f(static_cast<const uint8_t*>(zmq_msg_data(&m)), zmq_msg_size(&m));
        ++got;
    }
    zmq_msg_close(&m);
    return got;
}

bool ZmqPort::send(std::string_view topic, const void* payload, size_t size) {
    if (zmq_send(sock_, topic.data(), topic.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return false;
    return zmq_send(sock_, payload, size, ZMQ_DONTWAIT) >= 0;
}
