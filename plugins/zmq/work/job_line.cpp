#include "zmq/work/job_line.h"

#include <utility>

#include "zmq/work/job_board.h"

namespace trestle::zmq {

namespace {

// Looking for expired jobs among many costs time; a full queue does it this often at most.
constexpr uint64_t kSweepInterval = 1000;

}  // namespace

JobLine::JobLine(JobBoard& board, RoutePtr route, const RouteOptions& options,
                 const RouteLedger& ledger, Gauge* without_worker)
    : RouteAdmission(options, ledger),
      board_(board),
      route_(std::move(route)),
      without_worker_(without_worker) {}

JobLine::~JobLine() = default;

void JobLine::set_route(RoutePtr route) {
    route_ = std::move(route);
    set_options(route_->options());
}

KeyLane* JobLine::lane_for(std::string_view topic) {
    std::string key;
    if (!route_ || !route_->order_key_for(topic, key)) return nullptr;
    const auto [found, is_new] = lanes_.try_emplace(std::move(key));
    if (is_new) found->second.key = found->first;
    return &found->second;
}

bool JobLine::is_key_taken(std::string_view topic) const {
    std::string key;
    return route_ && route_->order_key_for(topic, key) && lanes_.contains(key);
}

void JobLine::store(Item item) { board_.add(*this, std::move(item)); }

void JobLine::turned_away(const Item& item) { board_.outside_.turned_away(item.message->view()); }

void JobLine::enter(Job& job) {
    ++jobs_;
    job.lane = lane_for(job.item.message->view().topic);
    if (job.lane != nullptr) job.lane->jobs.push_back(job);
    auto& queued = job.item.qos == Qos::at_most_once ? queued_qos0_ : queued_;
    queued.push_back(job);
}

Job* JobLine::leave(Job& job) {
    --jobs_;
    if (job.lane == nullptr) return nullptr;
    auto& jobs = job.lane->jobs;
    const bool was_first = &jobs.front() == &job;
    jobs.erase(jobs.iterator_to(job));
    if (!jobs.empty()) return was_first ? &jobs.front() : nullptr;
    lanes_.erase(lanes_.find(job.lane->key));
    return nullptr;
}

void JobLine::queue(ShardIndex shard, Job& job) {
    auto& queued = job.item.qos == Qos::at_most_once ? queued_qos0_ : queued_;
    queued.push_front(job);
    enter_books(shard, job.item);
}

void JobLine::unqueue(ShardIndex shard, Job& job) {
    auto& queued = job.item.qos == Qos::at_most_once ? queued_qos0_ : queued_;
    queued.erase(queued.iterator_to(job));
    leave_books(shard, job.item);
}

void JobLine::count_unserved(ShardIndex shard, int64_t change) const {
    if (without_worker_ != nullptr) without_worker_->add(shard, change);
}

void JobLine::drop_oldest(ShardIndex shard, bool only_qos0) {
    const bool is_qos0 =
        only_qos0 || queued_.empty() ||
        (!queued_qos0_.empty() && queued_qos0_.front().number < queued_.front().number);
    board_.drop(shard, is_qos0 ? queued_qos0_.front() : queued_.front(), DropReason::queue_full);
}

void JobLine::drop_expired(ShardIndex shard, uint64_t now_ms) {
    if (now_ms < next_sweep_ms_) return;
    next_sweep_ms_ = now_ms + kSweepInterval;
    for (auto* queued : {&queued_, &queued_qos0_}) {
        for (auto at = queued->begin(); at != queued->end();) {
            Job& job = *at++;
            if (job.item.has_expired(now_ms)) board_.drop(shard, job, DropReason::expired);
        }
    }
    admit_waiters(shard, now_ms);
}

}  // namespace trestle::zmq
