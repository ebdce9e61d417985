// Jobs: how they enter, are handed out, come back and end.
#include "zmq/work/job_board.h"

#include <algorithm>
#include <utility>

#include "core/properties.h"

namespace trestle::zmq {

JobBoard::JobBoard(const BoardRules& rules, Outside& outside, const BoardCounters& counters,
                   uint64_t first_tag)
    : rules_(rules), outside_(outside), counters_(counters), next_serial_(first_tag) {}

JobBoard::~JobBoard() {
    by_deadline_.clear();
    by_delay_.clear();
    by_due_.clear();
    for (auto& [peer, worker] : workers_) worker.leases.clear();
    for (auto& [name, service] : services_) {
        service.ready.clear();
        service.waiting.clear();
    }
}

RouteAdmission::Offered JobBoard::offer(At at, JobLine& line, std::string_view service,
                                        Delivery& delivery) {
    const auto offered = line.offer(at.shard, service, true, delivery, at.now_ms);
    work_off(at);
    return offered;
}

RouteAdmission::Offered JobBoard::request(At at, JobLine& line,
                                          std::unique_ptr<ClientAddress> client,
                                          Delivery& delivery) {
    newest_ = nullptr;
    const auto offered = line.offer(at.shard, client->service, false, delivery, at.now_ms);
    if (newest_ != nullptr) newest_->client = std::move(client);
    work_off(at);
    return offered;
}

// Called by a line: a job has a place in its queue.
void JobBoard::add(JobLine& line, RouteAdmission::Item item) {
    auto* job = new Job(line, std::move(item), next_job_++);
    newest_ = job;
    line.enter(*job);
    job->service = &service_named(job->item.key);
    ++job->service->jobs;
    ++jobs_of(line, *job->service);
    look_at(*job->service);
    const auto& message = job->item.message->view();
    // A publisher or a requester who waits does so for a bounded time.
    const bool is_awaited = job->item.ack || line.route() == nullptr ||
                            ApplicationProperties(message.properties).response_topic();
    if (is_awaited) {
        job->deadline_ms = job->item.entered_ms + line.options().timeout_ms;
        by_deadline_.insert(*job);
    }
    show(*job);
}

Service& JobBoard::service_named(std::string_view name) {
    const auto [found, is_new] = services_.try_emplace(std::string(name));
    if (is_new) found->second.name = found->first;
    return found->second;
}

size_t& JobBoard::jobs_of(JobLine& line, Service& service) {
    const auto found = std::ranges::find(service.by_line, &line, &JobsOfLine::line);
    if (found != service.by_line.end()) return found->jobs;
    return service.by_line.emplace_back(JobsOfLine{.line = &line}).jobs;
}

// Tells the lines how many of their jobs no worker is there for; a line without jobs may be gone
// by the next time.
void JobBoard::show_unserved(ShardIndex shard, Service& service) {
    for (auto& of : service.by_line) {
        const size_t unserved = service.workers == 0 ? of.jobs : 0;
        if (unserved == of.unserved) continue;
        of.line->count_unserved(shard,
                                static_cast<int64_t>(unserved) - static_cast<int64_t>(of.unserved));
        of.unserved = unserved;
    }
    std::erase_if(service.by_line, [](const JobsOfLine& of) { return of.jobs == 0; });
}

// Makes a queued job one that workers may get, if its key's turn is its.
void JobBoard::show(Job& job) {
    if (job.lane != nullptr && &job.lane->jobs.front() != &job) {
        job.state = Job::State::behind;
        return;
    }
    job.state = Job::State::ready;
    // Mostly the last one.
    job.service->waiting.insert(job.service->waiting.end(), job);
    look_at(*job.service);
}

void JobBoard::look_at(Service& service) {
    if (std::exchange(service.is_due, true)) return;
    due_.push_back(&service);
}

// At the end of every call from outside. Services take turns; those that wait for bytes to come
// back do so in a row of their own, the first of which is not passed by smaller jobs.
void JobBoard::work_off(At at) {
    while (!is_held_) {
        const bool again = may_have_room_ && !held_back_.empty();
        auto& row = again ? held_back_ : due_;
        if (row.empty()) return;
        Service& service = *row.front();
        row.pop_front();
        service.is_due = false;
        if (!hand_out_jobs(at, service) && !std::exchange(service.is_due, true)) {
            held_back_.insert(again ? held_back_.begin() : held_back_.end(), &service);
        }
        show_unserved(at.shard, service);
        if (service.jobs == 0 && service.workers == 0 && !service.is_due) {
            services_.erase(services_.find(service.name));
        }
    }
}

// False: there are no bytes for the next one.
bool JobBoard::hand_out_jobs(At at, Service& service) {
    while (!service.waiting.empty() && !service.ready.empty()) {
        Job& job = *service.waiting.begin();
        if (job.item.has_expired(at.now_ms)) {
            JobLine& line = job.line;
            drop(at.shard, job, DropReason::expired);
            line.admit_waiters(at.shard, at.now_ms);
            continue;
        }
        if (!has_room_for(job.item.size())) {
            may_have_room_ = false;
            return false;
        }
        Worker& worker = service.ready.front();
        switch (hand_out_to(at, service, worker)) {
            case Outside::Handed::yes:
                break;
            case Outside::Handed::full:
                // Until it is heard of, there is room again, or the next heartbeat.
                service.ready.erase(service.ready.iterator_to(worker));
                break;
            case Outside::Handed::gone:
                remove(at, worker);
        }
    }
    return true;
}

bool JobBoard::has_room_for(size_t bytes) const {
    return in_flight_bytes_ == 0 ||
           (may_have_room_ && in_flight_bytes_ + bytes <= rules_.max_in_flight_bytes);
}

void JobBoard::count_in_flight(ShardIndex shard, const Job& job, int64_t change) {
    job.line.ledger().in_flight->add(shard, change);
    if (change > 0) {
        in_flight_bytes_ += job.item.size();
        return;
    }
    in_flight_bytes_ -= job.item.size();
    may_have_room_ = true;
}

// The jobs that stand first, as many as the worker takes in one message.
JobBoard::Outside::Handed JobBoard::hand_out_to(At at, Service& service, Worker& worker) {
    const size_t most = std::min(worker.bundle, worker.window - worker.holds);
    size_t bytes = 0;
    bundle_.clear();
    for (Job& job : service.waiting) {
        bytes += job.item.size();
        const bool fits =
            bytes <= kMostBundleBytes && in_flight_bytes_ + bytes <= rules_.max_in_flight_bytes;
        if (!bundle_.empty() && (!fits || job.item.has_expired(at.now_ms))) break;
        ++job.attempts;
        bundle_.push_back(&new_lease(job, worker));
        if (bundle_.size() == most) break;
    }
    const auto handed = outside_.hand_out(bundle_);
    if (handed != Outside::Handed::yes) {
        for (Lease* lease : bundle_) {
            --lease->job->attempts;
            free_lease(*lease);
        }
        return handed;
    }
    // Workers take turns.
    service.ready.erase(service.ready.iterator_to(worker));
    if (worker.has_room()) service.ready.push_back(worker);
    for (Lease* lease : bundle_) begin_lease(at, *lease);
    for (Lease* lease : bundle_) lease->job->line.admit_waiters(at.shard, at.now_ms);
    return handed;
}

void JobBoard::begin_lease(At at, Lease& lease) {
    Job& job = *lease.job;
    job.service->waiting.erase(job.service->waiting.iterator_to(job));
    job.line.unqueue(at.shard, job);
    job.state = Job::State::leased;
    lease.is_current = true;
    lease.begun_ms = at.now_ms;
    lease.due_ms = at.now_ms + std::min(rules_.lease_ms, rules_.max_lease_ms);
    by_due_.insert(by_due_.end(), lease);
    count_in_flight(at.shard, job, 1);
    const RouteLedger& ledger = job.line.ledger();
    if (job.attempts > 1) {
        if (counters_.redeliveries != nullptr) counters_.redeliveries->add(at.shard);
    } else if (ledger.wait_seconds != nullptr) {
        const uint64_t waited_ms = at.now_ms - std::min(job.item.entered_ms, at.now_ms);
        ledger.wait_seconds->observe(at.shard, static_cast<double>(waited_ms) / 1000);
    }
}

// A leased job comes back without an answer.
void JobBoard::take_back(At at, Job& job, uint64_t delay_ms) {
    if (job.attempts >= rules_.max_attempts) return finish(at, job, JobEnd::used_up, {});
    count_in_flight(at.shard, job, -1);
    job.line.queue(at.shard, job);
    if (delay_ms == 0) return show(job);
    job.state = Job::State::delayed;
    job.ready_at_ms = at.now_ms + delay_ms;
    by_delay_.insert(job);
}

// Out of every row that it stands in, and out of the gauges.
void JobBoard::unlink(ShardIndex shard, Job& job) {
    if (job.is_queued()) {
        job.line.unqueue(shard, job);
    } else {
        count_in_flight(shard, job, -1);
    }
    if (job.in_service.is_linked()) {
        job.service->waiting.erase(job.service->waiting.iterator_to(job));
    }
    if (job.by_delay.is_linked()) by_delay_.erase(by_delay_.iterator_to(job));
    if (job.by_deadline.is_linked()) by_deadline_.erase(by_deadline_.iterator_to(job));
}

void JobBoard::settle(ShardIndex shard, Job& job, JobEnd end) const {
    const RouteLedger& ledger = job.line.ledger();
    const bool has_dead_letter = !job.line.options().dead_letter.empty();
    switch (end) {
        case JobEnd::replied:
            ledger.acked->add(shard);
            return job.item.ack.settle(Outcome::accepted);
        case JobEnd::timed_out:
            (has_dead_letter ? ledger.dead_lettered : ledger.timed_out)->add(shard);
            return job.item.ack.settle(has_dead_letter ? Outcome::dead_lettered
                                                       : Outcome::timed_out);
        case JobEnd::used_up:
        case JobEnd::refused:
            if (has_dead_letter) {
                ledger.dead_lettered->add(shard);
            } else {
                ledger.drop(shard, DropReason::no_worker);
            }
            return job.item.ack.settle(Outcome::given_up);
        case JobEnd::dropped:
            break;
    }
}

void JobBoard::finish(At at, Job& job, JobEnd end, Frames body) {
    unlink(at.shard, job);
    outside_.ended(job, end, body);
    settle(at.shard, job, end);
    forget(job);
}

void JobBoard::drop(ShardIndex shard, Job& job, DropReason reason) {
    unlink(shard, job);
    job.line.ledger().drop(shard, reason);
    outside_.ended(job, JobEnd::dropped, {});
    job.item.ack.settle(reason == DropReason::expired ? Outcome::timed_out : Outcome::queue_full);
    forget(job);
}

void JobBoard::forget(Job& job) {
    // Workers that have it answer late.
    while (!job.leases.empty()) lapse(job.leases.front());
    Job* const next = job.line.leave(job);
    if (next != nullptr) show(*next);
    --job.service->jobs;
    --jobs_of(job.line, *job.service);
    look_at(*job.service);
    if (newest_ == &job) newest_ = nullptr;
    delete &job;
}

void JobBoard::drop_line(At at, JobLine& line, DropReason reason) {
    line.refuse_waiters(at.shard);
    while (!line.queued_.empty()) drop(at.shard, line.queued_.front(), reason);
    while (!line.queued_qos0_.empty()) drop(at.shard, line.queued_qos0_.front(), reason);
    for (auto& lease : leases_) {
        if (lease.job != nullptr && lease.is_current && &lease.job->line == &line) {
            drop(at.shard, *lease.job, reason);
        }
    }
    work_off(at);
}

bool JobBoard::has_free_worker(std::string_view service) const {
    const auto found = services_.find(std::string(service));
    return found != services_.end() && !found->second.ready.empty() &&
           found->second.waiting.empty() && has_room_for(1);
}

bool JobBoard::is_served(std::string_view service) const {
    const auto found = services_.find(std::string(service));
    return found != services_.end() && found->second.workers != 0;
}

void JobBoard::end_overdue_jobs(At at) {
    while (!by_deadline_.empty() && by_deadline_.begin()->deadline_ms <= at.now_ms) {
        Job& job = *by_deadline_.begin();
        JobLine& line = job.line;
        finish(at, job, JobEnd::timed_out, {});
        line.admit_waiters(at.shard, at.now_ms);
    }
}

void JobBoard::show_delayed(At at) {
    while (!by_delay_.empty() && by_delay_.begin()->ready_at_ms <= at.now_ms) {
        Job& job = *by_delay_.begin();
        by_delay_.erase(by_delay_.begin());
        show(job);
    }
}

void JobBoard::tick(At at) {
    end_overdue_jobs(at);
    end_overdue_leases(at);
    show_delayed(at);
    if (at.now_ms >= next_beat_ms_) beat(at);
    work_off(at);
}

uint64_t JobBoard::next_due_ms() const {
    uint64_t due = next_beat_ms_;
    if (!by_deadline_.empty()) due = std::min(due, by_deadline_.begin()->deadline_ms);
    if (!by_due_.empty()) due = std::min(due, by_due_.begin()->due_ms);
    if (!by_delay_.empty()) due = std::min(due, by_delay_.begin()->ready_at_ms);
    return due;
}

}  // namespace trestle::zmq
