// What a router tells workers and clients, and what it has published for them.
#include <algorithm>
#include <utility>

#include "core/properties.h"
#include "zmq/meta.h"
#include "zmq/router_endpoint.h"
#include "zmq/work/packed_frames.h"

namespace trestle::zmq {

namespace {

// What libzmq spends on a frame beside its bytes.
constexpr size_t kFrameBytes = 64;
// Of smaller messages `send_hwm` is bound enough, and most are such.
constexpr size_t kSmallMessage = 1024;

size_t weight_of(std::span<const std::string_view> frames) {
    size_t bytes = frames.size() * kFrameBytes;
    for (const auto frame : frames) bytes += frame.size();
    return bytes;
}

}  // namespace

// A peer that has not taken what it was sent is as good as one whose pipe is full.
Socket::Sent RouterEndpoint::send_to_peer(std::span<const std::string_view> frames) {
    const size_t bytes = weight_of(frames.subspan(1));
    if (bytes < kSmallMessage) return socket_.send_parts(frames);
    auto place = unsent_.take(frames[0], bytes);
    if (!place) return Socket::Sent::full;
    return socket_.send_parts(frames, std::move(place));
}

// It takes messages again; were it a worker that waits for jobs, nobody else would tell.
void RouterEndpoint::has_room_again(const std::string& peer) {
    post_home([this, peer] {
        const std::lock_guard guard(mutex_);
        Worker* worker = board_.find(peer);
        if (is_over() || worker == nullptr) return;
        board_.room_again(here(), *worker);
        used_by(home_index());
    });
}

std::string RouterEndpoint::id_of(const Job& job) const { return epoch_ + write_tag(job.number); }

std::string RouterEndpoint::meta_of(const Job& job) const {
    const uint64_t now_ms = Shard::current()->now_ms();
    const auto& item = job.item;
    const uint64_t waited_ms = now_ms - std::min(item.entered_ms, now_ms);
    const std::string id = id_of(job);
    return write_meta({.message = item.message->view(),
                       .qos = item.qos,
                       .client = item.client,
                       .user = item.user,
                       .taken_ms = wall_clock_ms() - waited_ms,
                       .now_ms = now_ms,
                       .id = id,
                       .attempt = job.attempts});
}

// The head, as the worker's protocol has it; `text` holds what it borrows.
void RouterEndpoint::begin_request(const Lease& lease, std::string& text) {
    const Worker& worker = *lease.worker;
    if (worker.dialect != Dialect::native) {
        text = write_tag(lease.tag);
        return begin_mdp_request(worker.dialect, worker.peer, text, frames_);
    }
    text = native_deliver(lease.tag, lease.job->attempts);
    frames_.assign({worker.peer, text});
}

// The frames of the job itself, appended; `meta` holds what they borrow.
void RouterEndpoint::add_body(const Job& job, std::string& meta) {
    const MessageView& message = job.item.message->view();
    if (job.client) return unpack_frames(message.payload, frames_);
    if (wants_meta()) meta = meta_of(job);
    const auto body = make_frames(options_.frames, job.item.key, meta, message.payload);
    frames_.insert(frames_.end(), body.parts.begin(), body.parts.begin() + body.count);
}

Socket::Sent RouterEndpoint::send_jobs(JobBoard::Leases leases) {
    std::string meta;
    if (leases.size() == 1) {
        std::string head;
        begin_request(*leases[0], head);
        add_body(*leases[0]->job, meta);
        return send_to_peer(frames_);
    }
    bundle_.clear();
    for (const Lease* lease : leases) {
        frames_.clear();
        add_body(*lease->job, meta);
        bundle_.add(lease->tag, lease->job->attempts, frames_);
    }
    const std::string_view parts[] = {leases[0]->worker->peer, bundle_.head(), bundle_.frames()};
    return send_to_peer(parts);
}

RouterEndpoint::Handed RouterEndpoint::hand_out(JobBoard::Leases leases) {
    const auto sent = socket_.is_open() ? send_jobs(leases) : Socket::Sent::gone;
    if (sent != Socket::Sent::yes) {
        return sent == Socket::Sent::full ? Handed::full : Handed::gone;
    }
    for (const Lease* lease : leases) {
        const Job& job = *lease->job;
        if (!job.client) count_sent(cell(), job.item.key, job.item.message->view(), job.item.qos);
    }
    return Handed::yes;
}

bool RouterEndpoint::beat(const Worker& worker) {
    if (!socket_.is_open()) return false;
    const std::string head = native_heartbeat();
    if (worker.dialect == Dialect::native) {
        frames_.assign({worker.peer, head});
    } else {
        write_mdp_heartbeat(worker.dialect, worker.peer, frames_);
    }
    // One that does not read gets no more of them; its lease or its connection will end.
    return send_to_peer(frames_) != Socket::Sent::gone;
}

void RouterEndpoint::dismiss(const Worker& worker) {
    if (socket_.is_open()) send_away(worker.peer, worker.dialect);
}

Socket::Sent RouterEndpoint::answer(const ClientAddress& client, bool is_final,
                                    JobBoard::Frames body) {
    if (!socket_.is_open()) return Socket::Sent::gone;
    begin_mdp_answer(client, is_final, frames_);
    frames_.insert(frames_.end(), body.begin(), body.end());
    return send_to_peer(frames_);
}

void RouterEndpoint::finish_answer(const ClientAddress& client, JobBoard::Frames body) {
    if (answer(client, true, body) != Socket::Sent::yes) {
        counters_.drop(cell(), DropReason::no_subscriber);
    }
}

Socket::Sent RouterEndpoint::answer_for_service(const ClientAddress& client, bool is_final,
                                                JobBoard::Frames body) {
    const std::lock_guard guard(mutex_);
    used_by(home_index());
    return answer(client, is_final, body);
}

void RouterEndpoint::respond(const Job& job, const EndWords& words, std::string_view payload) {
    const MessageView& message = job.item.message->view();
    if (!ApplicationProperties(message.properties).response_topic()) return;
    const std::string id = id_of(job);
    publish_later(make_response(message,
                                {.status = words.status,
                                 .reason = words.reason,
                                 .attempts = job.attempts,
                                 .topic = message.topic,
                                 .id = id},
                                payload, context_.id()));
}

void RouterEndpoint::respond_unqueued(const MessageView& message) {
    if (!ApplicationProperties(message.properties).response_topic()) return;
    const EndWords words = words_for(JobEnd::dropped, false);
    publish_later(make_response(message,
                                {.status = words.status,
                                 .reason = words.reason,
                                 .attempts = 0,
                                 .topic = message.topic,
                                 .id = {}},
                                {}, context_.id()));
}

void RouterEndpoint::progress(const Job& job, JobBoard::Frames body) {
    if (job.client) {
        // 0.1 has no parts of answers.
        if (job.client->dialect == Dialect::mdp1) return;
        const bool is_lost =
            job.client->has_gap || answer(*job.client, false, body) != Socket::Sent::yes;
        if (!is_lost) return;
        job.client->has_gap = true;
        counters_.drop(cell(), DropReason::no_subscriber);
    } else if (!body.empty()) {
        respond(job, {"206", ""}, body.back());
    }
}

void RouterEndpoint::ended(const Job& job, JobEnd end, JobBoard::Frames body) {
    if (job.client) {
        if (end != JobEnd::replied) return;
        if (job.client->has_gap) return counters_.drop(cell(), DropReason::no_subscriber);
        return finish_answer(*job.client, body);
    }
    // A reply without a body is an acknowledgement and nothing else.
    if (end == JobEnd::replied && body.empty()) return;
    const EndWords words = words_for(end, board_.is_served(job.service->name));
    if (end != JobEnd::replied) {
        respond(job, words, {});
    } else {
        respond(job, words, body.back());
    }
    const std::string& dead_letter = job.line.options().dead_letter;
    const bool is_given_up =
        end == JobEnd::timed_out || end == JobEnd::used_up || end == JobEnd::refused;
    if (!is_given_up || dead_letter.empty()) return;
    const MessageView& message = job.item.message->view();
    const std::string id = id_of(job);
    const bool has_reason = end == JobEnd::refused && !body.empty() && is_reason(body.back());
    publish_later(make_dead_letter(message,
                                   {.status = words.status,
                                    .reason = has_reason ? body.back() : words.reason,
                                    .attempts = job.attempts,
                                    .topic = message.topic,
                                    .id = id},
                                   dead_letter));
}

}  // namespace trestle::zmq
