// A `push` endpoint: each message goes to one of the workers that have room, in turn.
//
// The queue is on our side, one per route: libzmq holds only as much as keeps workers busy, since
// what it holds for a worker is lost when the worker dies. A message is handed over at once while
// nothing waits; else it waits, and routes take turns when there is room again. `sent` means that
// libzmq has taken it for a worker that is connected.
//
// A route that shares its topics with an MQTT group takes part in it as long as a worker has room;
// the endpoint shows so after each use of the socket.
#pragma once

#include <memory>

#include "core/ring.h"
#include "core/route_queue.h"
#include "zmq/queueing_endpoint.h"

namespace trestle::zmq {

class PushEndpoint final : public QueueingEndpoint {
 public:
    PushEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~PushEndpoint() override;

    void start() override;
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override;
    bool offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
               Delivery& delivery) override;

 private:
    struct PushLine final : Line {
        explicit PushLine(const RoutePtr& its_route)
            : Line(its_route), items(its_route->options(), its_route->ledger()) {}
        RouteAdmission& queue() override { return items; }
        RouteQueue items;
        bool is_ready = false;  // in `ready_`
    };

    bool see_to_socket(ShardIndex shard) override;
    std::unique_ptr<Line> make_line(const RoutePtr& route) override;
    void drop_line(Line& line, DropReason reason, uint64_t now_ms) override;

    // All of these under the lock.
    bool send_direct(ShardIndex shard, const Route& route, std::string_view key,
                     const Delivery& delivery);
    bool send_item(ShardIndex shard, const RouteQueue::Item& item, uint64_t now_ms);
    /// True when it stopped for fairness, not for lack of room or messages.
    bool drain(ShardIndex shard);
    void make_ready(PushLine& line);

    Ring<PushLine*> ready_;  // lines that have something to send, in turn
};

}  // namespace trestle::zmq
