// The bounded queue of jobs of one route, or of the clients' requests: bounds and books.
//
// Which job goes to which worker when is the board's matter; here a job is in the queue until it is
// leased, and again when it comes back. Guarded with its board.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/route_admission.h"
#include "zmq/work/job.h"

namespace trestle::zmq {

class JobBoard;

class JobLine final : public RouteAdmission {
 public:
    /// `route` is null for the clients' requests. `without_worker`: its jobs for services that no
    /// worker offers; null: nobody asks.
    JobLine(JobBoard& board, RoutePtr route, const RouteOptions& options, const RouteLedger& ledger,
            Gauge* without_worker = nullptr);
    ~JobLine() override;

    void set_route(RoutePtr route);
    [[nodiscard]] const RoutePtr& route() const { return route_; }
    /// No job of it is anywhere, nor does a publisher wait.
    [[nodiscard]] bool is_idle() const { return jobs_ == 0 && empty(); }
    [[nodiscard]] size_t jobs() const { return jobs_; }
    /// A job of this topic would have to wait for another of its key.
    [[nodiscard]] bool is_key_taken(std::string_view topic) const;

 private:
    friend class JobBoard;
    void store(Item item) override;
    void drop_oldest(ShardIndex shard, bool only_qos0) override;
    void drop_expired(ShardIndex shard, uint64_t now_ms) override;
    void turned_away(const Item& item) override;

    void enter(Job& job);  // becomes part of it
    /// Its successor, if it was the first of its key.
    Job* leave(Job& job);
    /// Into the queue's books; at its head when it comes back.
    void queue(ShardIndex shard, Job& job);
    void unqueue(ShardIndex shard, Job& job);
    void count_unserved(ShardIndex shard, int64_t change) const;
    KeyLane* lane_for(std::string_view topic);

    JobBoard& board_;
    RoutePtr route_;
    Gauge* const without_worker_;
    size_t jobs_ = 0;
    QueuedJobs queued_;       // QoS 1 and 2, oldest first
    QueuedJobs queued_qos0_;  // QoS 0
    std::unordered_map<std::string, KeyLane> lanes_;
    uint64_t next_sweep_ms_ = 0;
};

}  // namespace trestle::zmq
