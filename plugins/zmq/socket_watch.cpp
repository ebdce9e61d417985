#include "zmq/socket_watch.h"

#include <utility>

namespace trestle::zmq {

struct SocketWatch::State {
    State(Shard& home, int number, std::function<void()> callback)
        : shard(home), descriptor(home.io(), number), ready(std::move(callback)) {}
    Shard& shard;
    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> ready;
    bool is_over = false;
};

SocketWatch::SocketWatch(Shard& shard, int descriptor, std::function<void()> ready)
    : state_(std::make_shared<State>(shard, descriptor, std::move(ready))) {
    wait(state_);
}

SocketWatch::~SocketWatch() {
    state_->is_over = true;
    state_->descriptor.release();  // libzmq closes it
}

void SocketWatch::wait(const std::shared_ptr<State>& state) {
    state->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                 [weak = std::weak_ptr(state)](boost::system::error_code error) {
                                     const auto alive = weak.lock();
                                     if (error || !alive || alive->is_over) return;
                                     alive->shard.touch_clock();
                                     alive->ready();
                                     if (!alive->is_over) wait(alive);
                                 });
}

}  // namespace trestle::zmq
