// A `pub` endpoint: everybody who asked for a prefix of the key gets the message, if there is room.
//
// `sent` means that libzmq has taken it. A subscriber that does not read fast enough loses messages
// inside libzmq, whole ones and unseen; nobody else is held up. The socket is an XPUB: the protocol
// of a PUB, but it tells what is asked for. (Its manual mode has a use-after-free in libzmq 4.3.4.)
#pragma once

#include "zmq/sending_endpoint.h"

namespace trestle::zmq {

class PubEndpoint final : public SendingEndpoint {
 public:
    PubEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);

    void start() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override;

 private:
    bool see_to_socket(ShardIndex shard) override;

    Gauge& subscriptions_;
};

}  // namespace trestle::zmq
