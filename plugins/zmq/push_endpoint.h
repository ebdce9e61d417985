// A `push` endpoint: each message goes to one of the workers that have room, in turn.
//
// The queue is on our side, one per route: libzmq holds only as much as keeps workers busy, since
// what it holds for a worker is lost when the worker dies. A message is handed over at once while
// nothing waits; else it waits, and routes take turns when there is room again. `sent` means that
// libzmq has taken it for a worker that is connected.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ring.h"
#include "core/route_queue.h"
#include "zmq/sending_endpoint.h"

namespace trestle::zmq {

class PushEndpoint final : public SendingEndpoint {
 public:
    PushEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~PushEndpoint() override;

    void start() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) override;
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override;

 private:
    /// One route's place here.
    struct Line {
        explicit Line(RoutePtr its_route)
            : route(std::move(its_route)), queue(route->options(), route->ledger()) {}
        RoutePtr route;
        RouteQueue queue;
        bool is_ready = false;  // in `ready_`
        bool is_removed = false;
        uint64_t drop_at_ms = 0;  // when removed
    };

    bool see_to_socket(ShardIndex shard) override;
    void on_peers_changed() override;

    // All of these under the lock.
    Line& line_of(const RoutePtr& route, uint64_t now_ms);
    Line* line_named(const std::string& name);
    bool send_direct(ShardIndex shard, const Route& route, std::string_view key,
                     const Delivery& delivery);
    bool send_item(ShardIndex shard, const RouteQueue::Item& item, uint64_t now_ms);
    /// True when it stopped for fairness, not for lack of room or messages.
    bool drain(ShardIndex shard);
    void make_ready(Line& line);
    void erase_finished(uint64_t now_ms);
    /// Sees to it that `run_timer` runs in time.
    void need_timer_at(uint64_t due_ms);
    [[nodiscard]] uint64_t next_due_ms() const;
    [[nodiscard]] bool is_drained() const;

    // On the home shard, without the lock.
    void run_timer();
    void finish_if_drained();
    void finish();

    std::vector<std::unique_ptr<Line>> lines_;
    std::unordered_map<const Route*, Line*> by_route_;
    Ring<Line*> ready_;  // lines that have something to send, in turn
    uint64_t timer_due_ms_;
    Timer timer_;

    bool is_stopping_ = false;
    uint64_t give_up_ms_ = 0;
    uint64_t deadline_ms_ = 0;
    std::function<void()> done_;
};

}  // namespace trestle::zmq
