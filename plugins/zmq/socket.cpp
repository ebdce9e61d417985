#include "zmq/socket.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "plugin_api/net.h"

namespace trestle::zmq {

namespace {

constexpr int kSockets = 16'384;
constexpr int kMostIoThreads = 16;
// Not in the headers of a build without drafts, but heeded: received messages are copied out of the
// 8 KiB they arrived in, so that one small message that is kept does not keep all of them.
constexpr int kZeroCopyReceive = 10;

struct Lent {
    std::vector<char> bytes;
    Socket::Kept kept;
    // How libzmq passes it to its thread, the thread sanitizer does not see; this it does.
    std::atomic<bool> is_whole{false};
};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + zmq_strerror(zmq_errno()));
}

// One I/O thread carries about a gigabit per second; who needs more says so.
int io_threads() {
    const char* text = std::getenv("TRESTLE_ZMQ_IO_THREADS");
    const int wanted = text == nullptr ? 1 : std::atoi(text);
    return wanted >= 1 && wanted <= kMostIoThreads ? wanted : 1;
}

}  // namespace

Context::Context() : handle_(zmq_ctx_new()) {
    if (handle_ == nullptr) fail("cannot make a ZeroMQ context");
    // A ROUTER numbers its peers from a rand() that libzmq 4.3.4 never seeds. Who knows the next
    // number can take it as a name of its own; then libzmq stops the whole process.
    std::srand(std::random_device{}());
    zmq_ctx_set(handle_, ZMQ_IO_THREADS, io_threads());
    zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, kSockets);
    zmq_ctx_set(handle_, ZMQ_BLOCKY, 0);
    zmq_ctx_set(handle_, kZeroCopyReceive, 0);
}

Context::~Context() {
    while (zmq_ctx_term(handle_) != 0 && zmq_errno() == EINTR) {
    }
}

std::string Context::inproc_name() {
    return "inproc://trestle." + std::to_string(names_.fetch_add(1, std::memory_order_relaxed));
}

Socket::Socket(Context& context, int type) : handle_(zmq_socket(context.get(), type)) {
    if (handle_ == nullptr) fail("cannot make a ZeroMQ socket");
}

Socket::Socket(Socket&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        close();
        handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
}

void Socket::set(int option, int value) {
    if (zmq_setsockopt(handle_, option, &value, sizeof value) != 0) {
        fail("cannot set ZeroMQ socket option " + std::to_string(option));
    }
}

void Socket::set(int option, int64_t value) {
    if (zmq_setsockopt(handle_, option, &value, sizeof value) != 0) {
        fail("cannot set ZeroMQ socket option " + std::to_string(option));
    }
}

void Socket::set(int option, std::string_view value) {
    if (zmq_setsockopt(handle_, option, value.data(), value.size()) != 0) {
        fail("cannot set ZeroMQ socket option " + std::to_string(option));
    }
}

void Socket::bind(const std::string& address) {
    if (zmq_bind(handle_, address.c_str()) == 0) return;
    const int cause = zmq_errno();
    const auto advice = address.starts_with("tcp:") ? bind_advice(cause) : std::string_view();
    throw std::runtime_error("cannot bind " + address + ": " + zmq_strerror(cause) +
                             std::string(advice));
}

void Socket::connect(const std::string& address) {
    if (zmq_connect(handle_, address.c_str()) != 0) fail("cannot connect to " + address);
}

std::string Socket::last_endpoint() const {
    std::array<char, 256> text{};
    size_t size = text.size();
    if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0) return {};
    return text.data();
}

int Socket::descriptor() const {
    int descriptor = -1;
    size_t size = sizeof descriptor;
    if (zmq_getsockopt(handle_, ZMQ_FD, &descriptor, &size) != 0) {
        fail("cannot watch a ZeroMQ socket");
    }
    return descriptor;
}

int Socket::events() const {
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size) != 0) {
        if (zmq_errno() != EINTR) return 0;
    }
    return events;
}

void Socket::monitor(const std::string& address, int events) {
    if (zmq_socket_monitor(handle_, address.c_str(), events) != 0) {
        fail("cannot monitor a ZeroMQ socket");
    }
}

void Socket::stop_monitor() { zmq_socket_monitor(handle_, nullptr, 0); }

void Socket::close() {
    if (handle_ != nullptr) zmq_close(std::exchange(handle_, nullptr));
}

bool Socket::send_frame(std::string_view bytes, int flags) {
    while (zmq_send(handle_, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR) return false;
    }
    return true;
}

bool Socket::send_joined(const OutgoingFrames& frames) {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, frames.size()) != 0) return false;
    auto* at = static_cast<char*>(zmq_msg_data(&message));
    for (const auto part : frames.parts) {
        if (!part.empty()) std::memcpy(at, part.data(), part.size());
        at += part.size();
    }
    return send_message(message);
}

bool Socket::send_message(zmq_msg_t& message) {
    while (zmq_msg_send(&message, handle_, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() == EINTR) continue;
        zmq_msg_close(&message);
        return false;
    }
    return true;
}

// The last frame of a message, which libzmq has done with last: its bytes are lent to it.
bool Socket::send_keeping(std::string_view bytes, Kept kept) {
    auto* lent = new Lent{{bytes.begin(), bytes.end()}, std::move(kept)};
    lent->is_whole.store(true, std::memory_order_release);
    const auto give_back = [](void*, void* hint) {
        auto* mine = static_cast<Lent*>(hint);
        if (mine->is_whole.load(std::memory_order_acquire)) delete mine;
    };
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, lent->bytes.data(), bytes.size(), give_back, lent) != 0) {
        delete lent;
        return false;
    }
    return send_message(message);
}

bool Socket::send(const OutgoingFrames& frames) {
    if (frames.is_joined) return send_joined(frames);
    const size_t last = frames.count - 1U;
    const auto flags = [last](size_t i) { return i < last ? ZMQ_SNDMORE : 0; };
    for (size_t i = 0; i <= last; ++i) {
        if (send_frame(frames.parts[i], flags(i))) continue;
        // A peer that goes away in the middle takes the frames it has with it; libzmq then swallows
        // the rest of this message and must be given it.
        for (size_t j = i + 1; i != 0 && j <= last; ++j) send_frame(frames.parts[j], flags(j));
        return false;
    }
    return true;
}

Socket::Sent Socket::send_parts(std::span<const std::string_view> frames, Kept kept) {
    for (size_t i = 0; i < frames.size(); ++i) {
        const bool is_last = i + 1 == frames.size();
        const int flags = is_last ? 0 : ZMQ_SNDMORE;
        const bool is_sent = is_last && kept ? send_keeping(frames[i], std::move(kept))
                                             : send_frame(frames[i], flags);
        if (is_sent) continue;
        // Refused with the routing id or not at all.
        return zmq_errno() == EAGAIN ? Sent::full : Sent::gone;
    }
    return Sent::yes;
}

bool Socket::receive(Frame& frame) {
    while (zmq_msg_recv(&frame.message_, handle_, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR) return false;
    }
    return true;
}

}  // namespace trestle::zmq
