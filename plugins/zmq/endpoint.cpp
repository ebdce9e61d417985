#include "zmq/endpoint.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace trestle::zmq {

namespace {

constexpr int kReconnectMs = 100;
constexpr int kLongestReconnectMs = 5000;

// The limit for messages is one for the frames of the handshake, too.
constexpr size_t kHandshakeBytes = 1024;

// A connection on which nothing is said: probed after so many seconds, given up after 30.
constexpr int kKeepAliveIdleS = 15;
constexpr int kKeepAliveProbeS = 5;
constexpr int kKeepAliveProbes = 3;

}  // namespace

uint64_t wall_clock_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

ZmqEndpoint::ZmqEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : context_(context),
      zmq_(zmq),
      options_(std::move(options)),
      counters_(context.counters("zmq")),
      peers_(context.host().metrics().gauge("trestle_zmq_peers",
                                            "Peers connected to a ZeroMQ endpoint",
                                            {{"endpoint", context.name()}})),
      close_timer_(
          context.home().timers(),
          [](void* self) { static_cast<ZmqEndpoint*>(self)->finish_close(); }, this) {}

ZmqEndpoint::~ZmqEndpoint() {
    watch_.reset();
    if (!socket_.is_open()) return;
    socket_.stop_monitor();  // before its reader goes: libzmq would wait for one
    socket_.set(ZMQ_LINGER, 0);
    socket_.close();
}

std::string ZmqEndpoint::not_ready() const {
    return is_open_.load(std::memory_order_relaxed) ? "" : "the ZeroMQ socket is not open";
}

void ZmqEndpoint::set_options(int type) {
    socket_.set(ZMQ_SNDHWM, options_.send_hwm);
    socket_.set(ZMQ_RCVHWM, options_.receive_hwm);
    socket_.set(ZMQ_LINGER, 0);  // until `close` knows better
    // Also keeps the pipe of a connection that is gone from its successor, which libzmq 4.3.4 takes
    // for one that had stopped reading: it would stop the process (zeromq/libzmq issue 3937).
    socket_.set(ZMQ_IMMEDIATE, 1);
    socket_.set(ZMQ_IPV6, 1);
    socket_.set(ZMQ_TCP_KEEPALIVE, 1);
    socket_.set(ZMQ_TCP_KEEPALIVE_IDLE, kKeepAliveIdleS);
    socket_.set(ZMQ_TCP_KEEPALIVE_INTVL, kKeepAliveProbeS);
    socket_.set(ZMQ_TCP_KEEPALIVE_CNT, kKeepAliveProbes);
    socket_.set(ZMQ_BACKLOG, options_.backlog);
    socket_.set(ZMQ_HANDSHAKE_IVL, options_.handshake_timeout_ms);
    socket_.set(ZMQ_HEARTBEAT_IVL, options_.heartbeat_ms);
    if (options_.heartbeat_ms > 0) {
        socket_.set(ZMQ_HEARTBEAT_TIMEOUT, options_.heartbeat_timeout_ms);
        socket_.set(ZMQ_HEARTBEAT_TTL, options_.heartbeat_timeout_ms);
    }
    // From the first one on all subscriptions and their ends are told, whoever else has the same.
    if (type == ZMQ_XPUB) socket_.set(ZMQ_XPUB_VERBOSER, 1);
    socket_.set(ZMQ_RECONNECT_IVL, kReconnectMs);
    socket_.set(ZMQ_RECONNECT_IVL_MAX, kLongestReconnectMs);
    // A frame that is a little too large is counted and dropped alone; libzmq ends the connection
    // of one that is far too large before it takes the memory.
    // Subscriptions libzmq takes for itself: of these none is too large alone.
    const size_t most = options_.max_message_size;
    const size_t allowed =
        type == ZMQ_XPUB ? std::max(most, kHandshakeBytes) : most + most / 4 + 65'536;
    socket_.set(ZMQ_MAXMSGSIZE, static_cast<int64_t>(allowed));
}

void ZmqEndpoint::open(int type) {
    socket_ = Socket(zmq_, type);
    set_options(type);
    monitor_ = std::make_unique<Monitor>(
        context_.home(), zmq_, socket_, static_cast<uint64_t>(options_.handshake_timeout_ms),
        Monitor::Events{[this](size_t count) {
                            peer_count_.store(count, std::memory_order_relaxed);
                            peers_.set(home_index(), static_cast<int64_t>(count));
                            on_peers_changed();
                        },
                        [this](uint64_t connection) { on_connection_closed(connection); },
                        [this] { finish_close(); }});
    for (const auto& address : options_.bind) socket_.bind(address);
    for (const auto& address : options_.connect) socket_.connect(address);
    watch_ = std::make_unique<SocketWatch>(context_.home(), socket_.descriptor(),
                                           [this] { on_ready(); });
    is_open_.store(true, std::memory_order_relaxed);
    for (const auto& address : options_.bind) context_.log().info("listening on {}", address);
    for (const auto& address : options_.connect) context_.log().info("connecting to {}", address);
    post_home([this] { on_ready(); });  // what came before the watch
}

std::vector<std::pair<int, uint64_t>> ZmqEndpoint::open_connections() {
    std::vector<std::pair<int, uint64_t>> all;
    if (!monitor_) return all;
    monitor_->connections().each([&](uint32_t descriptor, uint64_t number) {
        all.emplace_back(static_cast<int>(descriptor), number);
    });
    return all;
}

// The descriptor is libzmq's, which may close it at any time, and then it is another's. A copy
// stays what it was when it was made; and libzmq tells the monitor that a connection ends before it
// closes its descriptor. So what the monitor tells after the copy was made is true of the copy.
bool ZmqEndpoint::cut(int descriptor, uint64_t connection) {
    const int copy = ::dup(descriptor);
    if (copy < 0) return false;
    const bool is_its = connection_of(descriptor) == connection;
    if (is_its) ::shutdown(copy, SHUT_RDWR);
    ::close(copy);
    return is_its;
}

void ZmqEndpoint::close(uint64_t deadline_ms, std::function<void()> done) {
    is_open_.store(false, std::memory_order_relaxed);
    watch_.reset();
    if (!socket_.is_open()) {
        context_.home().post(std::move(done));
        return;
    }
    const uint64_t now = context_.home().now_ms();
    const uint64_t left = deadline_ms > now ? deadline_ms - now : 0;
    const bool sends = options_.sends();
    socket_.set(ZMQ_LINGER,
                sends ? static_cast<int>(std::min<uint64_t>(left, options_.linger_ms)) : 0);
    socket_.close();
    closed_ = std::move(done);
    // The monitor tells when the socket is really gone.
    close_timer_.set(deadline_ms);
}

void ZmqEndpoint::finish_close() {
    if (!closed_) return;
    close_timer_.cancel();
    peers_.set(home_index(), 0);
    std::exchange(closed_, nullptr)();
}

}  // namespace trestle::zmq
