// A client's coming and going, and what it is sent; its operations are in client_operations.cpp.
#include "websocket/json/client.h"

#include <utility>

#include "plugin_api/client_id.h"

namespace trestle::websocket::json {

namespace {

constexpr size_t kLargestKept = 1u << 20;  // of the memory that a large message needed

}  // namespace

Client::Client(Service& service, std::unique_ptr<Connection> connection)
    : service_(service),
      options_(service.options()),
      counters_(service.counters()),
      connection_(std::move(connection)),
      shard_(connection_->shard()) {}

Client::~Client() { end(); }

void Client::start() {
    self_ = weak_from_this();
    connected_ms_ = shard_.now_ms();
    publisher_.client_id = assign_client_id(service_.context().host(), shard_, "json-");
    publisher_.endpoint = service_.context().id();
    entry_ = &shard_.hub().sessions().create(publisher_.client_id, *this, options_.session,
                                             service_.ledger());
    publisher_.self = &session();
    counters_.connections->add(cell(), 1);
    connection_->set_high_water(options_.max_write_buffer);
    session().attach(*this, options_.session.max_inflight);
    connection_->start(*this);
}

void Client::end() {
    if (entry_ == nullptr) return;
    counters_.connections->add(cell(), -1);
    publisher_.self = nullptr;
    publishes_.clear();
    requests_.reset();
    shard_.hub().sessions().let_go(*std::exchange(entry_, nullptr), 0, nullptr);
}

void Client::close(CloseCode code, std::string_view reason) {
    end();
    connection_->close(code, reason, std::string(reason));
}

void Client::shut_down() { close(CloseCode::going_away, "the server is shutting down"); }

void Client::cut(std::string_view why) {
    end();
    connection_->abort(why);
}

void Client::take_over() { close(CloseCode::policy, "another client uses the same client id"); }

void Client::send_away() { close(CloseCode::policy, "an operator has ended the connection"); }

ConnectionReport Client::report() const {
    ConnectionReport report;
    report.endpoint = publisher_.endpoint;
    report.protocol = "JSON over WebSocket";
    report.address = connection_->peer().address;
    report.connected_ms = connected_ms_;
    return report;
}

void Client::on_closed(std::string_view why) {
    service_.context().log().debug("{}: {}: connection ended: {}", connection_->peer().address,
                                   publisher_.client_id, why);
    end();
    service_.remove(*this);
}

// --- what it is sent ---

bool Client::writable() const {
    if (connection_->congested()) connection_->flush_now();
    return !connection_->congested();
}

bool Client::send(const OutgoingPublish& publish) {
    static thread_local std::string text;
    text.clear();
    if (text.capacity() > kLargestKept) text.shrink_to_fit();
    append_message(text, {publish.message, publish.qos, publish.retain, publish.packet_id,
                          shard_.now_ms(), publish.subscription_ids});
    counters_.messages_sent[static_cast<size_t>(publish.qos)]->add(cell());
    say(text);
    return true;
}

void Client::on_queue_full() {
    if (!options_.disconnects_slow || std::exchange(slow_, true)) return;
    // Later: the session is in the middle of something.
    shard_.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->entry_ == nullptr) return;
        self->service_.count_slow(self->cell());
        self->service_.context().log().limited(
            self->service_.log_limit(), RepeatLimit::Clock::now(), LogLevel::warn,
            "{}: disconnected: it reads too slowly", self->connection_->peer().address);
        self->close(CloseCode::policy, "too slow: the queue is full");
    });
}

void Client::on_drained() {
    if (entry_ == nullptr) return;
    // First: what waits in the queue may use up the room again, time after time, and the client
    // must be able to say that it wants no more.
    adjust_reading();
    session().pump();
}

bool Client::answer_request(std::string_view id, const MessageView& response) {
    if (!writable()) {
        refuse(id, {Code::queue_full, "a response came, and the connection has no room for it"});
        return false;
    }
    std::string text;
    append_response(text, id, {response, response.qos, response.retain, 0, shard_.now_ms(), {}});
    counters_.messages_sent[0]->add(cell());
    say(text);
    return true;
}

void Client::refuse_request(std::string_view id, const Fault& fault) { refuse(id, fault); }

void Client::say(std::string_view text) {
    counters_.bytes_sent->add(cell(), text.size());
    connection_->send(Opcode::text, text);
}

void Client::say_ok(std::string_view id) {
    if (id.empty()) return;
    std::string text;
    append_ok(text, id);
    say(text);
}

void Client::refuse(std::string_view id, const Fault& fault) {
    service_.count_error(cell(), fault.code);
    std::string text;
    append_error(text, id, fault);
    say(text);
}

void Client::count_breach() {
    if (++errors_ < options_.max_errors) return;
    counters_.protocol_errors->add(cell());
    service_.context().log().limited(service_.log_limit(), RepeatLimit::Clock::now(),
                                     LogLevel::warn,
                                     "{}: disconnected after {} frames that are no good operations",
                                     connection_->peer().address, errors_);
    close(CloseCode::policy, "too many errors");
}

void Client::adjust_reading() {
    if (entry_ == nullptr) return;
    if (publishes_.size() >= options_.max_pending_publishes || !writable()) {
        connection_->pause();
    } else {
        connection_->resume();
    }
}

}  // namespace trestle::websocket::json
