// The job board: which worker does which job when. Services, leases, attempts, time-outs, tags.
//
// No sockets, no threads, no clock: each call says which shard it is on, for the counters, and what
// time it is; what is to be sent goes out through `Outside`. Owned by a router endpoint and guarded
// by its lock. Jobs enter through their line (work/job_line.h), which bounds them.
//
// A worker gets one job at a time, or, when it has asked for that, several in one message; their
// bytes are bounded for all workers together.
//
// A lease ends by the worker's reply, by giving it back, when the worker leaves, or at its time:
// `lease_ms` after the worker was last heard of in between, at most `max_lease_ms`. A job that
// comes back without a reply goes before all that came after it, until `max_attempts`. The first
// reply settles a job, whoever gives it. A worker that holds nothing must be heard of within
// `liveness` heartbeats; one that holds something need not, as a worker that is busy may not talk.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/counters.h"
#include "core/route_admission.h"
#include "zmq/work/job.h"
#include "zmq/work/job_line.h"

namespace trestle::zmq {

/// When and where something happens.
struct At {
    ShardIndex shard = 0;
    uint64_t now_ms = 0;
};

struct BoardRules {
    uint64_t heartbeat_ms = 2500;
    uint32_t liveness = 3;
    uint64_t lease_ms = 30'000;
    uint64_t max_lease_ms = 600'000;
    uint32_t max_attempts = 5;
    /// Of jobs that are with workers, all together; one larger job may be there alone.
    size_t max_in_flight_bytes = SIZE_MAX;
};

/// What the board counts; null: nobody asks.
struct BoardCounters {
    Gauge* workers = nullptr;
    Counter* redeliveries = nullptr;
    Counter* late_replies = nullptr;
    Counter* expired_leases = nullptr;
};

/// How a job ended.
enum class JobEnd : uint8_t {
    replied,
    timed_out,  ///< `timeout_ms` passed
    used_up,    ///< `max_attempts` workers did not reply
    refused,    ///< a worker said that no worker ever could
    dropped,    ///< by a limit of its line, its expiry, a reload or the end
};

class JobBoard {
 public:
    using Frames = std::span<const std::string_view>;
    using Leases = std::span<Lease* const>;
    /// Bytes of the jobs in one message, unless it is one job.
    static constexpr size_t kMostBundleBytes = 64u << 10;

    /// What the board asks for. None of these may call the board.
    class Outside {
     public:
        virtual ~Outside() = default;
        /// Sends jobs to the leases' worker, which is one, in one message. `full`: nothing more for
        /// now; `gone`: it cannot be reached, and leaves.
        enum class Handed : uint8_t { yes, full, gone };
        virtual Handed hand_out(Leases leases) = 0;
        /// Sends a heartbeat. False: it cannot be reached, and leaves.
        virtual bool beat(const Worker& worker) = 0;
        /// Tells a worker to go; it leaves.
        virtual void dismiss(const Worker& worker) = 0;
        /// Something of the answer, before its end.
        virtual void progress(const Job& job, Frames body) = 0;
        /// The job is about to be forgotten; the books are done, the publisher is told after this.
        /// `body` is the worker's answer or its reason.
        virtual void ended(const Job& job, JobEnd end, Frames body) = 0;
        /// A message that waited for a place in its line leaves, and was no job.
        virtual void turned_away(const MessageView& message) = 0;
    };

    JobBoard(const BoardRules& rules, Outside& outside, const BoardCounters& counters,
             uint64_t first_tag);
    ~JobBoard();
    JobBoard(const JobBoard&) = delete;
    JobBoard& operator=(const JobBoard&) = delete;

    // Jobs.

    /// Offers a message to its line, and hands out what can be.
    RouteAdmission::Offered offer(At at, JobLine& line, std::string_view service,
                                  Delivery& delivery);
    /// The same of a client's request.
    RouteAdmission::Offered request(At at, JobLine& line, std::unique_ptr<ClientAddress> client,
                                    Delivery& delivery);
    /// Ends all jobs of a line, and refuses who waits for room in it.
    void drop_line(At at, JobLine& line, DropReason reason);
    /// Some worker has this service.
    [[nodiscard]] bool is_served(std::string_view service) const;
    /// Whether a worker would get a job for the service at once.
    [[nodiscard]] bool has_free_worker(std::string_view service) const;

    // Workers. `Worker` pointers are good until the next call, or until `together` ends.

    [[nodiscard]] Worker* find(std::string_view peer);
    struct Newcomer {
        std::string_view peer;
        uint64_t connection = 0;
        Dialect dialect = Dialect::mdp1;
        std::string_view service;
        uint32_t window = 1;
        uint32_t bundle = 1;
    };
    /// A worker offers a service. The peer has no worker yet.
    void join(At at, const Newcomer& worker);
    /// It leaves, says goodbye or cannot be reached: what it holds goes to others.
    void leave(At at, Worker& worker);
    /// The same, of all workers of a connection.
    void connection_lost(At at, uint64_t connection);
    /// The same, and it is told to go.
    void dismiss(At at, Worker& worker);
    /// It is alive: its leases go on.
    void heard(At at, Worker& worker);
    void set_window(At at, Worker& worker, uint32_t window);
    /// After `Handed::full`: there is room for it now.
    void room_again(At at, Worker& worker);

    enum class Answer : uint8_t {
        settled,
        late,     ///< the job had ended, or was no longer with this worker
        unknown,  ///< this worker holds no such tag
    };
    Answer reply(At at, Worker& worker, uint64_t tag, Frames body);
    /// Part of an answer, and a sign of life.
    Answer progress(At at, Worker& worker, uint64_t tag, Frames body);
    /// More time for one lease.
    Answer extend(At at, Worker& worker, uint64_t tag);
    struct GiveBack {
        uint64_t delay_ms = 0;
        bool for_good = false;    ///< no other worker is to try
        bool is_untried = false;  ///< the attempt does not count
        Frames reason = {};
    };
    Answer give_back(At at, Worker& worker, uint64_t tag, const GiveBack& how);
    /// Takes several answers of one worker. What they make room for is handed out after the last:
    /// whoever cannot be reached then leaves then.
    template <class Take>
    void together(At at, Take&& take) {
        is_held_ = true;
        take();
        is_held_ = false;
        work_off(at);
    }
    /// Tells every worker to go; what they hold comes back.
    void dismiss_all(At at);

    // Time.

    /// Does what is due.
    void tick(At at);
    /// When `tick` has to be called next.
    [[nodiscard]] uint64_t next_due_ms() const;

    [[nodiscard]] size_t workers() const { return workers_.size(); }
    template <class Visit>
    void each_worker(Visit visit) const {
        for (const auto& [peer, worker] : workers_) visit(worker);
    }
    [[nodiscard]] size_t services() const { return services_.size(); }
    [[nodiscard]] size_t leases() const { return leases_.size() - free_leases_.size(); }

 private:
    friend class JobLine;
    void add(JobLine& line, RouteAdmission::Item item);
    void drop(ShardIndex shard, Job& job, DropReason reason);

    Service& service_named(std::string_view name);
    static size_t& jobs_of(JobLine& line, Service& service);
    void look_at(Service& service);
    static void show_unserved(ShardIndex shard, Service& service);
    void work_off(At at);
    bool hand_out_jobs(At at, Service& service);
    Outside::Handed hand_out_to(At at, Service& service, Worker& worker);
    void begin_lease(At at, Lease& lease);
    [[nodiscard]] bool has_room_for(size_t bytes) const;
    void count_in_flight(ShardIndex shard, const Job& job, int64_t change);
    void show(Job& job);
    void take_back(At at, Job& job, uint64_t delay_ms);
    void unlink(ShardIndex shard, Job& job);
    void finish(At at, Job& job, JobEnd end, Frames body);
    void settle(ShardIndex shard, Job& job, JobEnd end) const;
    void forget(Job& job);

    Lease& new_lease(Job& job, Worker& worker);
    Lease* lease_of(const Worker& worker, uint64_t tag);
    void renew(At at, Lease& lease);
    void lapse(Lease& lease);
    void free_lease(Lease& lease);
    void give_room(Worker& worker);
    void remove(At at, Worker& worker);

    void end_overdue_jobs(At at);
    void end_overdue_leases(At at);
    void show_delayed(At at);
    [[nodiscard]] bool has_forgotten_all(const Worker& worker) const;
    void beat(At at);

    const BoardRules rules_;
    Outside& outside_;
    const BoardCounters counters_;
    uint64_t next_job_ = 1;
    uint64_t next_serial_;
    Job* newest_ = nullptr;  // what `add` has made last
    std::unordered_map<std::string, Service> services_;
    std::unordered_map<std::string, Worker> workers_;
    std::deque<Lease> leases_;  // by place
    std::vector<uint32_t> free_leases_;
    JobsByDeadline by_deadline_;
    JobsByDelay by_delay_;
    LeasesByDue by_due_;
    // A service is in one of these at most, and then `is_due`.
    std::deque<Service*> due_;
    std::deque<Service*> held_back_;  // until bytes come back, and then before the others
    bool may_have_room_ = true;       // false: not even for the first one that is held back
    size_t in_flight_bytes_ = 0;
    std::vector<Lease*> bundle_;  // kept for its memory
    bool is_held_ = false;        // nothing is handed out
    uint64_t next_beat_ms_ = kNever;
};

}  // namespace trestle::zmq
