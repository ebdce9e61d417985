// What workers and clients say to a router.
#include <algorithm>
#include <utility>

#include "zmq/router_endpoint.h"
#include "zmq/work/packed_frames.h"

namespace trestle::zmq {

namespace {

// Frames read in one go; then others get their turn.
constexpr size_t kBatch = 512;
// A message may name many jobs; so many of them count as a frame.
constexpr size_t kJobsPerFrame = 16;
// What is to be published may pile up to this number before reading stops.
constexpr size_t kMostErrands = 1000;
constexpr size_t kMostErrandBytes = 16u << 20;
constexpr size_t kLongestService = 255;
constexpr std::string_view kMmiService = "mmi.service";

bool is_reserved(std::string_view service) {
    return service.starts_with("mmi.") || service.starts_with("mqtt.");
}

}  // namespace

// True when there is more.
bool RouterEndpoint::read() {
    if (is_paused_) return false;
    size_t budget = kBatch;
    while (budget > 0) {
        if (errands_.size() >= kMostErrands || errand_bytes_ >= kMostErrandBytes) {
            return false;  // `run_errands` goes on
        }
        if (context_.home().congested()) {
            is_paused_ = true;
            context_.home().when_clear([this, alive = alive()] {
                if (alive.expired()) return;
                const std::lock_guard guard(mutex_);
                is_paused_ = false;
                used_by(home_index());
            });
            return false;
        }
        switch (reader_.read(socket_, budget)) {
            case MessageReader::Result::nothing:
                if ((socket_.events() & ZMQ_POLLIN) == 0) return false;
                break;
            case MessageReader::Result::message:
                work_ = 0;
                take_message();
                budget -= std::min(budget, work_ / kJobsPerFrame);
                break;
            case MessageReader::Result::unfinished:
                break;
        }
    }
    return true;
}

void RouterEndpoint::take_message() {
    counters_.bytes_received->add(home_index(), reader_.size());
    const auto all = reader_.frames();
    if (all.size() < 2) return;
    const std::string_view peer = all[0];
    if (reader_.has_too_many()) return take_nonsense(peer, "too many frames");
    if (is_native(all[1])) {
        take_native(peer, all.subspan(1));
    } else {
        take_mdp(peer, all.subspan(1));
    }
}

void RouterEndpoint::take_mdp(std::string_view peer, FrameView frames) {
    const PeerMessage message = read_mdp(frames);
    switch (message.kind) {
        case PeerMessage::Kind::nothing:
            return;
        case PeerMessage::Kind::bad:
            return take_nonsense(peer, "frames of no protocol it speaks");
        case PeerMessage::Kind::request:
            return take_request(peer, message);
        case PeerMessage::Kind::ready:
            take_newcomer({.peer = peer, .dialect = message.dialect, .service = message.service});
            return;
        default:
            break;
    }
    Worker* worker = board_.find(peer);
    if (worker == nullptr) {
        // It does not know that it is none (any more): told so, it begins anew.
        if (message.kind != PeerMessage::Kind::disconnect) send_away(peer, message.dialect);
        return;
    }
    if (worker->dialect != message.dialect) return take_nonsense(peer, "two protocols at once");
    if (is_too_large()) return take_too_large(peer);
    take_from_worker(*worker, message);
}

void RouterEndpoint::take_from_worker(Worker& worker, const PeerMessage& message) {
    if (message.kind == PeerMessage::Kind::heartbeat) return board_.heard(here(), worker);
    if (message.kind == PeerMessage::Kind::disconnect) return board_.leave(here(), worker);
    const auto tag = read_tag(message.tag);
    const bool is_reply = message.kind == PeerMessage::Kind::reply;
    if (!tag) return take_nonsense(worker.peer, "a reply to nobody");
    const auto answer = is_reply ? board_.reply(here(), worker, *tag, message.body)
                                 : board_.progress(here(), worker, *tag, message.body);
    // Said twice, or another's: that message alone is void.
    if (answer == JobBoard::Answer::unknown) complain("a reply to a job that it does not have");
}

// The connection of the peer that speaks. A worker of its name on another one has lost that, as
// will be told in a moment.
uint64_t RouterEndpoint::make_way(std::string_view peer) {
    const uint64_t connection = its_connection();
    Worker* before = board_.find(peer);
    if (before != nullptr && before->connection != connection) board_.leave(here(), *before);
    return connection;
}

// False: it was sent away.
bool RouterEndpoint::take_newcomer(const JobBoard::Newcomer& newcomer) {
    const uint64_t connection = make_way(newcomer.peer);
    if (board_.find(newcomer.peer) != nullptr) {
        take_nonsense(newcomer.peer, "READY from a worker it has");
        return false;
    }
    const char* fault = nullptr;
    if (is_reserved(newcomer.service)) fault = "a service name that is reserved";
    if (newcomer.service.size() > kLongestService) fault = "a service name that is too long";
    if (board_.workers() >= options_.router.max_workers) fault = "one worker too many";
    if (fault != nullptr) complain(fault);
    if (fault != nullptr || is_stopping()) {
        send_away(newcomer.peer, newcomer.dialect);
        return false;
    }
    JobBoard::Newcomer worker = newcomer;
    worker.connection = connection;
    board_.join(here(), worker);
    return true;
}

void RouterEndpoint::take_request(std::string_view peer, const PeerMessage& message) {
    ClientAddress client{std::string(peer),
                         {message.envelope.begin(), message.envelope.end()},
                         message.dialect,
                         std::string(message.service)};
    if (is_too_large()) {
        constexpr std::string_view kTooLarge = "413";
        if (is_reserved(message.service)) finish_answer(client, {&kTooLarge, 1});
        return;
    }
    if (message.service.starts_with("mmi.")) return answer_mmi(client, message.body);
    if (message.service.starts_with("mqtt.")) {
        const auto call = std::make_shared<ServiceCall>(ServiceCall{
            std::move(client), its_connection(), {message.body.begin(), message.body.end()}});
        return errand([this, call] { services_.call(call); }, reader_.size());
    }
    request_ledger_.matched->add(home_index());
    if (is_stopping()) return request_ledger_.drop(home_index(), DropReason::shutdown);
    client.place = request_quota_.take(its_connection(), reader_.size());
    if (!client.place) return request_ledger_.drop(home_index(), DropReason::queue_full);
    const std::string packed = pack_frames(message.body);
    MessageView view;
    view.payload = packed;
    view.qos = Qos::at_least_once;
    view.origin = context_.id();
    Delivery delivery(Message::copy_of(view), publisher_, context_.home());
    board_.request(here(), requests_, std::make_unique<ClientAddress>(std::move(client)), delivery);
}

bool RouterEndpoint::is_known_service(std::string_view service) const {
    return service == kMmiService || HubServices::has(service) || board_.is_served(service);
}

// RFC 8.
void RouterEndpoint::answer_mmi(const ClientAddress& client, FrameView body) {
    std::string_view status = "501";
    if (client.service == kMmiService) {
        status = !body.empty() && is_known_service(body[0]) ? "200" : "404";
    }
    finish_answer(client, {&status, 1});
}

bool RouterEndpoint::is_too_large() {
    if (reader_.size() <= options_.max_message_size) return false;
    counters_.drop(home_index(), DropReason::too_large);
    return true;
}

void RouterEndpoint::complain(const char* what) {
    counters_.protocol_errors->add(home_index());
    context_.log().limited(log_limit_, RepeatLimit::Clock::now(), LogLevel::warn,
                           "a peer has sent {}", what);
}

// A worker that cannot be understood is told to go: what it has goes to others.
void RouterEndpoint::take_nonsense(std::string_view peer, const char* what) {
    complain(what);
    counters_.drop(home_index(), DropReason::bad_frames);
    dismiss_worker(peer);
}

// The same; the message has been counted.
void RouterEndpoint::take_too_large(std::string_view peer) {
    complain("a message that is too large");
    dismiss_worker(peer);
}

void RouterEndpoint::dismiss_worker(std::string_view peer) {
    if (Worker* worker = board_.find(peer)) board_.dismiss(here(), *worker);
}

void RouterEndpoint::send_away(std::string_view peer, Dialect dialect) {
    if (dialect == Dialect::native) {
        send_head(peer, native_close());
        return;
    }
    write_mdp_disconnect(dialect, peer, frames_);
    send_to_peer(frames_);
}

}  // namespace trestle::zmq
