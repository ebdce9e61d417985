// What all ZeroMQ endpoints have: one socket, its monitor, and how they begin and end.
//
// Made on the main thread, then used on the home shard; what other shards may call, a derived class
// guards. Destroyed when its shards no longer run, or on the home shard after `stop` is done.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/timer_queue.h"
#include "plugin_api/plugin.h"
#include "zmq/monitor.h"
#include "zmq/options.h"
#include "zmq/socket.h"
#include "zmq/socket_watch.h"

namespace trestle::zmq {

class ZmqEndpoint : public Endpoint {
 public:
    ZmqEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~ZmqEndpoint() override;

    [[nodiscard]] std::string not_ready() const override;
    /// Peers of a socket that is bound stay; libzmq has no way to refuse new ones only.
    void stop_listening() override {}
    /// What libzmq has taken is given no more time either.
    void cut_short() override { finish_close(); }
    /// The address bound last, with the port that was chosen.
    [[nodiscard]] std::string bound_address() const { return socket_.last_endpoint(); }
    /// Peers after the handshake; from any thread.
    [[nodiscard]] size_t peers() const { return peer_count_.load(std::memory_order_relaxed); }

 protected:
    /// Makes the socket, with its options, and binds and connects it; throws what `start` throws.
    void open(int type);
    /// Sees to the socket whenever there is news; `open` starts it.
    virtual void on_ready() = 0;
    virtual void on_peers_changed() {}
    /// A connection has ended; what it has sent may still be unread. Not under a lock.
    virtual void on_connection_closed(uint64_t connection) { (void)connection; }
    /// The number of the connection that a message has come by, by `Frame::source_descriptor`;
    /// 0 when it is not known. On the home shard.
    [[nodiscard]] uint64_t connection_of(int descriptor) {
        return monitor_ ? monitor_->connection_of(descriptor) : 0;
    }
    /// Those that are open: pairs of descriptor and number. On the home shard.
    [[nodiscard]] std::vector<std::pair<int, uint64_t>> open_connections();
    /// Ends a connection, as if its peer had, if the descriptor is still that one's; the monitor
    /// tells of it as ever. False: it has gone, or could not be ended now. On the home shard.
    bool cut(int descriptor, uint64_t connection);
    /// Whether this is so for the numbers of all connections that are open. On the home shard.
    template <class F>
    [[nodiscard]] bool all_connections(F&& holds) {
        return !monitor_ || monitor_->connections().all_of(holds);
    }
    /// Closes the socket, lets it send what it holds for as long as linger and deadline allow, then
    /// calls `done`. The caller holds the lock, if there is one.
    void close(uint64_t deadline_ms, std::function<void()> done);

    /// Expires with the endpoint.
    [[nodiscard]] std::weak_ptr<bool> alive() const { return alive_; }
    [[nodiscard]] ShardIndex home_index() const { return context_.home().index(); }
    /// Runs `work` on the home shard unless the endpoint is gone by then.
    template <class F>
    void post_home(F work) {
        context_.home().post([alive = std::weak_ptr(alive_), work = std::move(work)] {
            if (!alive.expired()) work();
        });
    }

    EndpointContext& context_;
    Context& zmq_;
    const EndpointOptions options_;
    const EndpointCounters counters_;
    Socket socket_;

 private:
    void set_options(int type);
    void finish_close();

    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Gauge& peers_;
    std::atomic<size_t> peer_count_{0};
    std::unique_ptr<Monitor> monitor_;
    std::unique_ptr<SocketWatch> watch_;
    std::atomic<bool> is_open_{false};
    std::function<void()> closed_;
    Timer close_timer_;
};

/// Milliseconds since 1970.
uint64_t wall_clock_ms();

}  // namespace trestle::zmq
