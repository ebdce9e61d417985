// What the job board moves about: jobs, services, workers, and leases.
//
// Plain structures without I/O; they belong to one `JobBoard` and are guarded with it.
//
//   a job       waits for a worker of its service, is leased to one, comes back or ends
//   a service   a name; jobs wait for it in order of their numbers, workers take turns
//   a worker    one connection that has said which service it offers and how many jobs it takes
//   a lease     a job with a worker, known by its tag; it outlives the job when the job ends
//   another
//               way (timed out, done by someone else), so that a late reply is known as one
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/route_admission.h"
#include "zmq/work/protocol.h"

namespace trestle::zmq {

struct Job;
struct Lease;
struct Service;
struct Worker;
class JobLine;

inline constexpr uint64_t kNever = UINT64_MAX;

using ListHook = boost::intrusive::list_member_hook<>;
using SetHook = boost::intrusive::set_member_hook<boost::intrusive::optimize_size<true>>;

struct Lease {
    uint64_t tag = 0;
    Job* job = nullptr;        ///< null: it has ended without this worker
    Worker* worker = nullptr;  ///< null: this place is free
    uint64_t begun_ms = 0;
    uint64_t due_ms = kNever;
    bool is_current = false;  ///< the job is with this worker, and nobody else
    SetHook by_due;
    ListHook of_job;
    ListHook of_worker;
};

using LeasesOfJob =
    boost::intrusive::list<Lease, boost::intrusive::member_hook<Lease, ListHook, &Lease::of_job>,
                           boost::intrusive::constant_time_size<false>>;
using LeasesOfWorker =
    boost::intrusive::list<Lease, boost::intrusive::member_hook<Lease, ListHook, &Lease::of_worker>,
                           boost::intrusive::constant_time_size<false>>;

struct KeyLane;

struct Job {
    enum class State : uint8_t {
        ready,    ///< among the service's waiting jobs
        behind,   ///< queued behind another of its key
        delayed,  ///< queued, but not before `ready_at_ms`
        leased,
    };

    Job(JobLine& its_line, RouteAdmission::Item its_item, uint64_t its_number)
        : item(std::move(its_item)), line(its_line), number(its_number) {}

    RouteAdmission::Item item;
    JobLine& line;
    const uint64_t number;  ///< in the order of arrival
    Service* service = nullptr;
    KeyLane* lane = nullptr;
    std::unique_ptr<ClientAddress> client;  ///< who asked, unless it came by a route
    uint64_t deadline_ms = kNever;
    uint64_t ready_at_ms = 0;
    uint32_t attempts = 0;
    State state = State::behind;
    LeasesOfJob leases;
    SetHook in_service;
    SetHook by_deadline;
    SetHook by_delay;
    ListHook in_queue;
    ListHook in_lane;

    [[nodiscard]] bool is_queued() const { return state != State::leased; }
};

template <class T, auto Member>
struct KeyOf {
    using type = uint64_t;
    const uint64_t& operator()(const T& object) const { return object.*Member; }
};
template <class T, SetHook T::*Hook, auto Member>
using SortedBy = boost::intrusive::multiset<T, boost::intrusive::member_hook<T, SetHook, Hook>,
                                            boost::intrusive::key_of_value<KeyOf<T, Member>>,
                                            boost::intrusive::constant_time_size<false>>;

using JobsOfService = SortedBy<Job, &Job::in_service, &Job::number>;
using JobsByDeadline = SortedBy<Job, &Job::by_deadline, &Job::deadline_ms>;
using JobsByDelay = SortedBy<Job, &Job::by_delay, &Job::ready_at_ms>;
using LeasesByDue = SortedBy<Lease, &Lease::by_due, &Lease::due_ms>;
using QueuedJobs =
    boost::intrusive::list<Job, boost::intrusive::member_hook<Job, ListHook, &Job::in_queue>,
                           boost::intrusive::constant_time_size<false>>;
using JobsOfLane =
    boost::intrusive::list<Job, boost::intrusive::member_hook<Job, ListHook, &Job::in_lane>,
                           boost::intrusive::constant_time_size<false>>;

struct KeyLane {
    std::string key;
    JobsOfLane jobs;
};

struct Worker {
    std::string peer;         ///< routing id of its connection
    uint64_t connection = 0;  ///< number of its connection; 0: not known
    Dialect dialect = Dialect::mdp1;
    Service* service = nullptr;
    uint32_t window = 1;  ///< jobs that it takes at the same time
    uint32_t bundle = 1;  ///< and of these in one message
    uint32_t holds = 0;   ///< leases, also those whose job has ended another way
    uint64_t heard_ms = 0;
    LeasesOfWorker leases;
    ListHook in_ready;  ///< linked while it can take a job

    [[nodiscard]] bool has_room() const { return holds < window; }
};

using ReadyWorkers =
    boost::intrusive::list<Worker,
                           boost::intrusive::member_hook<Worker, ListHook, &Worker::in_ready>,
                           boost::intrusive::constant_time_size<false>>;

/// The jobs of one line that want one service.
struct JobsOfLine {
    JobLine* line = nullptr;
    size_t jobs = 0;
    size_t unserved = 0;  ///< as the line has been told
};

struct Service {
    std::string name;
    JobsOfService waiting;
    ReadyWorkers ready;
    size_t jobs = 0;                  ///< all of them, leased ones too
    std::vector<JobsOfLine> by_line;  ///< the same; mostly one line
    size_t workers = 0;
    bool is_due = false;  ///< the board is about to look at it, or holds it back
};

}  // namespace trestle::zmq
