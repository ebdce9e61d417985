// Who is connected to a ZeroMQ socket, from its monitor events (zmq_socket_monitor(3)).
//
// Lives on the endpoint's home shard. Peers over inproc are not seen; there are none in a config.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/timer_queue.h"
#include "plugin_api/shard.h"
#include "zmq/connection_numbers.h"
#include "zmq/peer_count.h"
#include "zmq/socket.h"
#include "zmq/socket_watch.h"

namespace trestle::zmq {

class Monitor {
 public:
    struct Events {
        std::function<void(size_t)> peers_changed;
        std::function<void(uint64_t)> connection_closed;  ///< its number
        std::function<void()> stopped;  ///< the socket is gone, and all it had to send
    };
    /// The socket must be new: what is bound before is not seen.
    Monitor(Shard& home, Context& context, Socket& socket, uint64_t handshake_ms, Events events);

    /// The number of the connection that has this descriptor now; 0: none. Calls nobody back on
    /// the same stack.
    uint64_t connection_of(int descriptor);
    /// Those that are open now. Calls nobody back on the same stack either.
    const ConnectionNumbers& connections();

 private:
    void read();
    void drain();
    void report();
    void pass_time();
    void arm_timer();

    Shard& home_;
    Socket pair_;
    PeerCount count_;
    ConnectionNumbers numbers_;
    Events events_;
    Timer timer_;
    // What has been read and not been reported.
    size_t told_peers_ = 0;
    std::vector<uint64_t> closed_;
    bool has_stopped_ = false;
    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<SocketWatch> watch_;
};

}  // namespace trestle::zmq
