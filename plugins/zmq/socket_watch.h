// Calls back on a shard when a ZeroMQ socket may have news.
//
// The socket's descriptor is edge-triggered: whoever is called must handle everything that
// `Socket::events` shows, or come back by itself. Lives on its shard; destroyed before the socket
// is closed, at any time, also from inside the callback.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>

#include "plugin_api/shard.h"

namespace trestle::zmq {

class SocketWatch {
 public:
    SocketWatch(Shard& shard, int descriptor, std::function<void()> ready);
    ~SocketWatch();
    SocketWatch(const SocketWatch&) = delete;
    SocketWatch& operator=(const SocketWatch&) = delete;

 private:
    struct State;
    static void wait(const std::shared_ptr<State>& state);
    std::shared_ptr<State> state_;
};

}  // namespace trestle::zmq
