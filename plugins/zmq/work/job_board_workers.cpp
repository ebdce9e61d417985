// Workers: how they come and go, their leases and their answers.
#include <algorithm>
#include <utility>

#include "zmq/work/job_board.h"

namespace trestle::zmq {

namespace {

// A tag is a serial number and the place of its lease.
constexpr unsigned kPlaceBits = 24;
constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;

}  // namespace

Worker* JobBoard::find(std::string_view peer) {
    const auto found = workers_.find(std::string(peer));
    return found == workers_.end() ? nullptr : &found->second;
}

void JobBoard::join(At at, const Newcomer& newcomer) {
    const auto [found, is_new] = workers_.try_emplace(std::string(newcomer.peer));
    if (!is_new) return;
    Worker& worker = found->second;
    worker.peer = found->first;
    worker.connection = newcomer.connection;
    worker.dialect = newcomer.dialect;
    worker.window = newcomer.window;
    worker.bundle = std::max(newcomer.bundle, 1U);
    worker.heard_ms = at.now_ms;
    worker.service = &service_named(newcomer.service);
    ++worker.service->workers;
    if (counters_.workers != nullptr) counters_.workers->add(at.shard, 1);
    if (next_beat_ms_ == kNever) next_beat_ms_ = at.now_ms + rules_.heartbeat_ms;
    give_room(worker);
    work_off(at);
}

void JobBoard::give_room(Worker& worker) {
    if (worker.has_room() && !worker.in_ready.is_linked()) {
        worker.service->ready.push_back(worker);
    }
    look_at(*worker.service);
}

void JobBoard::set_window(At at, Worker& worker, uint32_t window) {
    worker.window = window;
    if (!worker.has_room() && worker.in_ready.is_linked()) {
        worker.service->ready.erase(worker.service->ready.iterator_to(worker));
    }
    give_room(worker);
    work_off(at);
}

void JobBoard::room_again(At at, Worker& worker) {
    give_room(worker);
    work_off(at);
}

void JobBoard::remove(At at, Worker& worker) {
    Service& service = *worker.service;
    if (worker.in_ready.is_linked()) service.ready.erase(service.ready.iterator_to(worker));
    while (!worker.leases.empty()) {
        Lease& lease = worker.leases.front();
        Job* job = lease.is_current ? lease.job : nullptr;
        free_lease(lease);
        if (job != nullptr) take_back(at, *job, 0);
    }
    --service.workers;
    look_at(service);
    workers_.erase(workers_.find(worker.peer));
    if (counters_.workers != nullptr) counters_.workers->add(at.shard, -1);
    if (workers_.empty()) next_beat_ms_ = kNever;
}

void JobBoard::leave(At at, Worker& worker) {
    remove(at, worker);
    work_off(at);
}

void JobBoard::dismiss(At at, Worker& worker) {
    outside_.dismiss(worker);
    leave(at, worker);
}

void JobBoard::dismiss_all(At at) {
    // One after the other has left: what comes back is not handed out in between.
    while (!workers_.empty()) {
        Worker& worker = workers_.begin()->second;
        outside_.dismiss(worker);
        remove(at, worker);
    }
    work_off(at);
}

void JobBoard::connection_lost(At at, uint64_t connection) {
    for (auto next = workers_.begin(); next != workers_.end();) {
        Worker& worker = (next++)->second;
        if (worker.connection == connection) remove(at, worker);
    }
    work_off(at);
}

void JobBoard::heard(At at, Worker& worker) {
    worker.heard_ms = at.now_ms;
    for (Lease& lease : worker.leases) renew(at, lease);
}

Lease& JobBoard::new_lease(Job& job, Worker& worker) {
    if (free_leases_.empty()) {
        free_leases_.push_back(static_cast<uint32_t>(leases_.size()));
        leases_.emplace_back();
    }
    const uint32_t place = free_leases_.back();
    free_leases_.pop_back();
    Lease& lease = leases_[place];
    lease.tag = next_serial_++ << kPlaceBits | place;
    lease.job = &job;
    lease.worker = &worker;
    job.leases.push_back(lease);
    worker.leases.push_back(lease);
    ++worker.holds;
    return lease;
}

Lease* JobBoard::lease_of(const Worker& worker, uint64_t tag) {
    const size_t place = tag & kPlaceMask;
    if (place >= leases_.size()) return nullptr;
    Lease& lease = leases_[place];
    return lease.tag == tag && lease.worker == &worker ? &lease : nullptr;
}

void JobBoard::renew(At at, Lease& lease) {
    if (!lease.is_current) return;
    by_due_.erase(by_due_.iterator_to(lease));
    lease.due_ms = std::min(at.now_ms + rules_.lease_ms, lease.begun_ms + rules_.max_lease_ms);
    by_due_.insert(by_due_.end(), lease);
}

// Its job has ended or is no longer with this worker, which may still answer.
void JobBoard::lapse(Lease& lease) {
    lease.is_current = false;
    if (lease.by_due.is_linked()) by_due_.erase(by_due_.iterator_to(lease));
    if (lease.of_job.is_linked()) {
        lease.job->leases.erase(lease.job->leases.iterator_to(lease));
        lease.job = nullptr;
    }
}

void JobBoard::free_lease(Lease& lease) {
    lapse(lease);
    Worker& worker = *lease.worker;
    worker.leases.erase(worker.leases.iterator_to(lease));
    --worker.holds;
    lease.worker = nullptr;
    free_leases_.push_back(static_cast<uint32_t>(lease.tag & kPlaceMask));
}

JobBoard::Answer JobBoard::reply(At at, Worker& worker, uint64_t tag, Frames body) {
    worker.heard_ms = at.now_ms;
    Lease* lease = lease_of(worker, tag);
    if (lease == nullptr) return Answer::unknown;
    Job* job = lease->job;
    const bool is_late = !lease->is_current;
    if (is_late && counters_.late_replies != nullptr) counters_.late_replies->add(at.shard);
    free_lease(*lease);
    give_room(worker);
    if (job != nullptr) {
        JobLine& line = job->line;
        finish(at, *job, JobEnd::replied, body);
        line.admit_waiters(at.shard, at.now_ms);
    }
    work_off(at);
    return is_late ? Answer::late : Answer::settled;
}

JobBoard::Answer JobBoard::progress(At at, Worker& worker, uint64_t tag, Frames body) {
    worker.heard_ms = at.now_ms;
    Lease* lease = lease_of(worker, tag);
    if (lease == nullptr) return Answer::unknown;
    if (!lease->is_current) return Answer::late;
    renew(at, *lease);
    outside_.progress(*lease->job, body);
    return Answer::settled;
}

JobBoard::Answer JobBoard::extend(At at, Worker& worker, uint64_t tag) {
    worker.heard_ms = at.now_ms;
    Lease* lease = lease_of(worker, tag);
    if (lease == nullptr) return Answer::unknown;
    if (!lease->is_current) return Answer::late;
    renew(at, *lease);
    return Answer::settled;
}

JobBoard::Answer JobBoard::give_back(At at, Worker& worker, uint64_t tag, const GiveBack& how) {
    worker.heard_ms = at.now_ms;
    Lease* lease = lease_of(worker, tag);
    if (lease == nullptr) return Answer::unknown;
    Job* job = lease->is_current ? lease->job : nullptr;
    free_lease(*lease);
    give_room(worker);
    if (job != nullptr && how.is_untried) --job->attempts;
    if (job != nullptr && how.for_good) finish(at, *job, JobEnd::refused, how.reason);
    if (job != nullptr && !how.for_good) take_back(at, *job, how.delay_ms);
    work_off(at);
    return job == nullptr ? Answer::late : Answer::settled;
}

void JobBoard::end_overdue_leases(At at) {
    while (!by_due_.empty() && by_due_.begin()->due_ms <= at.now_ms) {
        Lease& lease = *by_due_.begin();
        if (counters_.expired_leases != nullptr) counters_.expired_leases->add(at.shard);
        by_due_.erase(by_due_.begin());
        lease.is_current = false;  // still of its job: the first reply counts, whoever gives it
        take_back(at, *lease.job, 0);
    }
}

// Nothing that it has is its own any more, it was heard of when even a busy worker's time was over,
// and it has answered none of it: what it was to do it has lost, and waits for more.
bool JobBoard::has_forgotten_all(const Worker& worker) const {
    const uint64_t patience_ms = rules_.max_lease_ms + rules_.lease_ms;
    const auto is_forgotten = [&](const Lease& lease) {
        return !lease.is_current && lease.begun_ms + patience_ms <= worker.heard_ms;
    };
    return worker.holds != 0 && !worker.has_room() &&
           std::all_of(worker.leases.begin(), worker.leases.end(), is_forgotten);
}

void JobBoard::beat(At at) {
    next_beat_ms_ = at.now_ms + rules_.heartbeat_ms;
    const uint64_t silence_ms = rules_.heartbeat_ms * rules_.liveness;
    for (auto next = workers_.begin(); next != workers_.end();) {
        Worker& worker = (next++)->second;
        const bool is_silent = worker.holds == 0 && worker.heard_ms + silence_ms <= at.now_ms;
        const bool is_of_no_use = is_silent || has_forgotten_all(worker);
        if (is_of_no_use) outside_.dismiss(worker);
        if (is_of_no_use || !outside_.beat(worker)) {
            remove(at, worker);
        } else if (!worker.in_ready.is_linked()) {
            give_room(worker);  // its pipe was full
        }
    }
}

}  // namespace trestle::zmq
