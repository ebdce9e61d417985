// An endpoint whose routes have queues (push, router): the places of its routes, through reloads to
// the end, and one timer for all that has its time there.
//
// Lines are guarded by the endpoint's lock. The line of a route that was removed drains for a
// while; a message of a route that the endpoint has not been told of yet (a reload is under way)
// gets a line that waits to be listed. When the endpoint stops, lines drain as long as there are
// peers and time, and what else is under way may end in that time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/route_admission.h"
#include "zmq/sending_endpoint.h"

namespace trestle::zmq {

class QueueingEndpoint : public SendingEndpoint {
 public:
    QueueingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~QueueingEndpoint() override;

    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void cut_short() override;
    void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) override;

 protected:
    /// One route's place here.
    struct Line {
        explicit Line(RoutePtr its_route) : route(std::move(its_route)) {}
        virtual ~Line() = default;
        virtual RouteAdmission& queue() = 0;
        /// A reload has replaced the route.
        virtual void route_changed() { queue().set_options(route->options()); }
        /// Nothing of it waits or is with a peer.
        [[nodiscard]] virtual bool is_idle() { return queue().empty(); }

        RoutePtr route;
        bool is_removed = false;
        uint64_t drop_at_ms = 0;  // when removed
    };

    // All of these are called under the lock.
    virtual std::unique_ptr<Line> make_line(const RoutePtr& route) = 0;
    /// Drops what the line still has, and forgets it.
    virtual void drop_line(Line& line, DropReason reason, uint64_t now_ms) = 0;
    /// What is due besides the lines; when it is due next.
    virtual void run_due(uint64_t now_ms) { (void)now_ms; }
    [[nodiscard]] virtual uint64_t next_own_due_ms() const { return TimerQueue::kNothing; }
    /// The socket is about to close.
    virtual void say_goodbye() {}
    /// Whether queues can still drain.
    [[nodiscard]] virtual bool has_takers() const { return peers() > 0; }
    /// Nothing waits for a taker or is with one.
    [[nodiscard]] virtual bool is_drained() const;
    /// Something is under way that needs no taker. On the home shard.
    [[nodiscard]] virtual bool is_engaged() const { return false; }
    /// The time is up for that. On the home shard, without the lock; may come more than once.
    virtual void break_off() {}

    Line& line_of(const RoutePtr& route, uint64_t now_ms);
    /// No message is taken any more: the end has come.
    [[nodiscard]] bool is_over() const { return is_stopping_ && done_ == nullptr; }
    [[nodiscard]] bool is_stopping() const { return is_stopping_; }
    /// Sees to it that what is due is run in time.
    void need_timer_at(uint64_t due_ms);
    void drop_all(DropReason reason);
    /// Tells the groups that routes share their topics with whether a peer has room now.
    void show_room(bool has_room);
    /// To be called when a line has become empty or a taker has left.
    void drained_perhaps();
    void on_peers_changed() override;

 private:
    Line* line_named(const std::string& name);
    Line& add_line(const RoutePtr& route);
    void erase_finished(uint64_t now_ms);
    [[nodiscard]] uint64_t next_due_ms() const;

    // On the home shard, without the lock.
    void run_timer();
    void finish_if_drained();
    void finish();

    std::vector<std::unique_ptr<Line>> lines_;
    std::unordered_map<const Route*, Line*> by_route_;
    bool has_shared_ = false;  // a line whose route shares its topics
    uint64_t timer_due_ms_ = TimerQueue::kNothing;
    Timer timer_;

    bool is_stopping_ = false;
    uint64_t give_up_ms_ = 0;
    uint64_t deadline_ms_ = 0;
    std::function<void()> done_;
};

}  // namespace trestle::zmq
