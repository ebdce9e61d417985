#include "mqtt/connection.h"

#include "mqtt/client.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"
#include "mqtt/proxy_protocol.h"

namespace trestle::mqtt {

Connection::Connection(Service& service, std::unique_ptr<ByteStream> stream,
                       std::optional<PeerInfo> behind)
    : service_(service),
      shard_(stream->shard()),
      stream_(std::move(stream)),
      peer_(behind ? *behind : stream_->peer()),
      timer_(
          shard_.timers(), [](void* self) { static_cast<Connection*>(self)->timer_fired(); }, this),
      state_(service.options().proxy_protocol && !behind ? State::awaiting_proxy
                                                         : State::awaiting_connect) {}

Connection::~Connection() { shard_.cancel_end_of_turn(*this); }

void Connection::start() {
    stream_->set_high_water(service_.options().max_write_buffer);
    timer_.set(shard_.now_ms() + service_.options().connect_timeout_ms);
    stream_->start(*this);
}

size_t Connection::on_bytes(std::string_view bytes) {
    last_packet_ms_ = shard_.now_ms();
    Counter& received = *service_.counters().bytes_received;
    const ShardIndex cell = shard_.index();
    const size_t used = read_packets(bytes);  // may destroy this
    received.add(cell, used);
    return used;
}

size_t Connection::read_packets(std::string_view bytes) {
    size_t used = 0;
    Frame frame;
    Fault fault;
    if (state_ == State::awaiting_proxy) {
        used = read_proxy(bytes);
        if (state_ == State::awaiting_proxy) return used;
    }
    HubShard& hub = shard_.hub();
    const uint64_t enough = hub.work() + shard_.work_left();
    while (state_ != State::closing && !held_) {
        if (hub.work() >= enough) {
            wait_for_turn();
            return used;
        }
        const size_t most = state_ == State::connected ? service_.options().maximum_packet_size
                                                       : service_.options().max_connect_packet_size;
        const auto status = read_frame(bytes.substr(used), most, version_, frame, fault);
        if (status == FrameStatus::need_more) {
            if (stream_->congested()) wait_until_it_reads();
            return used;
        }
        if (status == FrameStatus::fault) {
            fail(fault);
            return bytes.size();
        }
        if (state_ == State::awaiting_connect) {
            const Accept accepted = accept_connect(frame, bytes.substr(used));
            if (accepted == Accept::moved) return used;  // the rest is counted over there
            if (accepted == Accept::later) return used;
            service_.packets().count_received(shard_.index(), frame.size);
            if (accepted == Accept::no) return bytes.size();
        } else if (fault = client_->on_packet(frame); fault) {
            fail(fault);
            return bytes.size();
        } else if (client_->is_amid_packet()) {
            wait_for_turn();
            return used;
        }
        used += frame.size;
        hub.add_work(1);
    }
    return state_ == State::closing ? bytes.size() : used;
}

// The header that a proxy puts in front; true addresses are in the log only.
size_t Connection::read_proxy(std::string_view bytes) {
    const ProxyHeader header = read_proxy_header(bytes);
    if (header.status == ProxyHeader::Status::need_more) return 0;
    if (header.status == ProxyHeader::Status::fault) {
        fail({Reason::malformed_packet, "the connection does not begin with a PROXY header"});
        return bytes.size();
    }
    if (!header.address.empty()) peer_ = {header.address, header.loopback};
    state_ = State::awaiting_connect;
    return header.size;
}

Connection::Accept Connection::accept_connect(const Frame& frame, std::string_view from_here) {
    if (frame.type() != PacketType::connect) {
        fail({Reason::protocol_error, "the first packet is not CONNECT [MQTT-3.1.0-1]"});
        return Accept::no;
    }
    Connect connect;
    std::string scratch;
    Fault fault = decode_connect(frame, connect, scratch);
    version_ = connect.version;
    if (fault) {
        refuse(connect, fault, Refusal::packet);
        return Accept::no;
    }
    if (service_.full()) {
        refuse(connect, {Reason::server_busy, "there are too many connections"},
               Refusal::max_connections);
        return Accept::no;
    }
    Shard& home =
        connect.client_id.empty() ? shard_ : service_.context().host().home_of(connect.client_id);
    if (&home != &shard_) {
        service_.move(*this, home, from_here);
        return Accept::moved;
    }
    if (version_ != Version::v5) {
        const uint64_t until = service_.pauses(shard_).until(connect.client_id);
        if (until > shard_.now_ms()) {
            state_ = State::pausing;
            timer_.set(until);
            hold();
            return Accept::later;
        }
    }
    return open_client(connect);
}

Connection::Accept Connection::open_client(const Connect& connect) {
    client_ = std::make_unique<Client>(*this, version_);
    state_ = State::connected;
    timer_.cancel();
    auto why = Refusal::packet;
    if (const Fault fault = client_->on_connect(connect, why)) {
        client_.reset();
        refuse(connect, fault, why);
        return Accept::no;
    }
    return state_ == State::connected ? Accept::yes : Accept::no;
}

// CONNACK with the reason, where the protocol's version has one for it, then close [MQTT-3.1.4-1].
// A server that is full may know another one; that is no fault of the client's.
void Connection::refuse(const Connect& connect, const Fault& fault, Refusal why) {
    service_.packets().refused[static_cast<size_t>(why)]->add(shard_.index());
    Connack connack;
    connack.reason = fault.reason;
    connack.properties.reason_string = fault.sentence;
    if (why == Refusal::packet) {
        note_error(fault.sentence, "CONNECT refused");
    } else {
        note(fault.sentence, "CONNECT refused");
        if (connect.version == Version::v5 && !service_.options().server_reference.empty()) {
            connack.reason = Reason::use_another_server;
            connack.properties.server_reference = service_.options().server_reference;
        }
    }
    const size_t most = connect.properties.maximum_packet_size.value_or(kLargestPacket);
    const size_t size = encode_connack(output(), connect.version, connack, most);
    service_.packets().count_sent(shard_.index(), size);
    close();
}

void Connection::fail(const Fault& fault) {
    if (state_ == State::closing) return;
    note_error(fault.sentence, reason_name(fault.reason));
    if (client_) client_->disconnect(fault);
    close();
}

void Connection::note_error(const char* what, std::string_view about) {
    service_.counters().protocol_errors->add(shard_.index());
    note(what, about);
}

void Connection::note(const char* what, std::string_view about) {
    service_.context().log().limited(
        service_.log_limit(), RepeatLimit::Clock::now(), LogLevel::warn, "{} {}: {}: {}",
        peer_.address, client_ ? client_->client_id() : "(no client id)", about, what);
}

void Connection::close() {
    if (state_ == State::closing) return;
    state_ = State::closing;
    timer_.cancel();
    if (client_) client_->end(true);
    stream_->close();
}

void Connection::cut(std::string_view why) {
    state_ = State::closing;
    timer_.cancel();
    if (client_) client_->end(true);
    stream_->abort(why);
}

void Connection::shut_down() {
    if (state_ == State::closing) return;
    if (client_) {
        client_->disconnect({Reason::server_shutting_down, "the server is shutting down"});
    }
    close();
}

// Answers go out whatever the backlog. So nothing more is read from a peer that does not take them;
// but messages alone do not bring it so far, as one may well publish for long before it reads.
void Connection::wait_until_it_reads() {
    if (stream_->backlog() < 2 * service_.options().max_write_buffer) return;
    full_ = true;
    backlog_before_ = stream_->backlog();
    stream_->pause_reading();
}

// A read holds thousands of small packets, and each of them may be for thousands of subscribers;
// and a packet may hold millions of filters.
void Connection::wait_for_turn() {
    busy_ = true;
    stream_->pause_reading();
    shard_.at_end_of_turn(*this);
}

void Connection::end_of_turn() {
    busy_ = false;
    read_on();
}

void Connection::read_on() {
    last_packet_ms_ = shard_.now_ms();
    if (held_ || full_ || busy_) return;
    if (state_ == State::connected) stream_->resume_reading();
}

void Connection::on_output_drained() {
    if (!client_ || state_ != State::connected) return;
    // First: what waits in the session may use up the room again, time after time, and the client
    // must be able to say that it wants no more.
    if (std::exchange(full_, false)) read_on();
    client_->on_writable();
}

void Connection::on_closed(std::string_view why) {
    if (state_ != State::closing) {
        service_.context().log().debug("{}: connection ended: {}", peer_.address, why);
        state_ = State::closing;
        if (client_) client_->end(true);
    }
    service_.remove(*this);  // destroys this
}

void Connection::hold() {
    held_ = true;
    stream_->pause_reading();
}

void Connection::go_on() {
    if (!held_) return;
    held_ = false;
    read_on();
}

void Connection::watch(uint16_t keep_alive_s) {
    if (keep_alive_s == 0) return;
    silence_ms_ = uint32_t{keep_alive_s} * 1500;
    timer_.set(shard_.now_ms() + silence_ms_);
}

// Of a peer that is not listened to because it does not read, it is enough that it reads something.
bool Connection::takes_output() {
    const size_t backlog = stream_->backlog();
    return full_ && std::exchange(backlog_before_, backlog) > backlog;
}

// Keep alive is checked when it would run out at the earliest, not at every packet.
void Connection::timer_fired() {
    if (state_ == State::pausing) {
        state_ = State::awaiting_connect;
        held_ = false;
        timer_.set(shard_.now_ms() + service_.options().connect_timeout_ms);
        return stream_->resume_reading();
    }
    if (state_ == State::awaiting_connect || state_ == State::awaiting_proxy) {
        note_error("no complete CONNECT packet came in time", "connect_timeout_ms");
        return close();
    }
    if (held_ || takes_output()) last_packet_ms_ = shard_.now_ms();
    const uint64_t due = last_packet_ms_ + silence_ms_;
    if (due > shard_.now_ms()) return timer_.set(due);
    fail({Reason::keep_alive_timeout, "no packet within 1.5 times the keep alive"});
}

}  // namespace trestle::mqtt
