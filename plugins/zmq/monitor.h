// Who is connected to a ZeroMQ socket, from its monitor events (zmq_socket_monitor(3)).
//
// Lives on the endpoint's home shard. Peers over inproc are not seen; there are none in a config.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "plugin_api/shard.h"
#include "zmq/connection_numbers.h"
#include "zmq/socket.h"
#include "zmq/socket_watch.h"

namespace trestle::zmq {

/// Counts peers that have completed the handshake.
///
/// The event for that does not say on which connection it was, so the newest one that has not is
/// taken; when one that was taken turns out to have failed, another takes its place. The count is
/// right again at the latest when the connections in question have closed.
class PeerCount {
 public:
    void on_event(uint16_t event, uint32_t value);
    [[nodiscard]] size_t peers() const { return peers_; }

 private:
    void mark_newest();
    void forget(uint32_t descriptor);

    struct Connection {
        uint64_t number = 0;
        bool is_peer = false;
    };
    std::map<uint32_t, Connection> connections_;  // by descriptor
    uint64_t next_number_ = 0;
    size_t peers_ = 0;
    size_t failed_ = 0;  // handshakes that failed, whose connection is about to close
};

class Monitor {
 public:
    struct Events {
        std::function<void()> peers_changed;
        std::function<void(uint64_t)> connection_closed;  ///< its number
        std::function<void()> stopped;  ///< the socket is gone, and all it had to send
    };
    /// The socket must be new: what is bound before is not seen.
    Monitor(Shard& home, Context& context, Socket& socket, Events events);

    [[nodiscard]] size_t peers() const { return count_.peers(); }
    /// The number of the connection that has this descriptor now; 0: none. Calls nobody back on
    /// the same stack.
    uint64_t connection_of(int descriptor);

 private:
    void read();
    void drain();
    void report();

    Shard& home_;
    Socket pair_;
    PeerCount count_;
    ConnectionNumbers numbers_;
    Events events_;
    // What has been read and not been reported.
    size_t told_peers_ = 0;
    std::vector<uint64_t> closed_;
    bool has_stopped_ = false;
    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<SocketWatch> watch_;
};

}  // namespace trestle::zmq
