#include "websocket/connection.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"
#include "websocket/deflate.h"

namespace trestle::websocket {

namespace {

constexpr uint64_t kCloseTimeMs = 5'000;  // to write what is left and to shake hands
constexpr size_t kWorthDeflating = 128;   // smaller messages gain nothing
// What it takes to inflate, to check, to read and to answer a message, in units of work.
constexpr size_t kUnitsOfMessage = 10;
constexpr size_t kBytesPerUnit = 8;

}  // namespace

Connection::Connection(std::unique_ptr<ByteStream> stream,
                       std::shared_ptr<const ConnectionRules> rules, Slot slot, Delivers delivers)
    : stream_(std::move(stream)),
      rules_(std::move(rules)),
      slot_(std::move(slot)),
      delivers_(delivers),
      alive_(std::make_shared<Connection*>(this)),
      timer_(
          stream_->shard().timers(),
          [](void* self) { static_cast<Connection*>(self)->time_is_up(); }, this),
      reader_(delivers.deflate_window != 0) {
    set_ping_timer();
}

Connection::~Connection() {
    *alive_ = nullptr;
    shard().cancel_end_of_turn(*this);
    if (input_.capacity() != 0) shard().buffers().give(std::move(input_));
}

void Connection::start(ConnectionUser& user) {
    user_ = &user;
    if (!std::exchange(started_, true)) stream_->start(*this);
}

// --- reading ---

size_t Connection::on_bytes(std::string_view bytes) {
    heard_ = true;
    HubShard& hub = shard().hub();
    const uint64_t enough = hub.work() + shard().work_left();
    size_t used = 0;
    while (reads()) {
        if (hub.work() >= enough) {
            wait_for_turn();
            break;
        }
        const std::string_view rest = bytes.substr(used);
        const size_t step = in_frame_ ? take_payload(rest) : take_header(rest);
        if (step == 0) break;
        used += step;
    }
    give_data();
    if (input_.empty() && input_.capacity() != 0 && !busy_) {
        shard().buffers().give(std::exchange(input_, OutBuffer()));
    }
    return state_ == State::ending ? bytes.size() : used;
}

size_t Connection::take_header(std::string_view bytes) {
    const auto status = reader_.read(bytes, frame_);
    if (status == FrameReader::Status::need_more) return 0;
    if (status == FrameReader::Status::fault) {
        fail(CloseCode::protocol_error,
             std::string("WebSocket rules were broken: ") + reader_.fault(), rules_->bad_frames);
        return 0;
    }
    left_ = frame_.length;
    in_frame_ = true;
    if (is_control(frame_.opcode)) {
        control_.clear();
    } else {
        if (frame_.opcode != Opcode::continuation) {
            message_opcode_ = frame_.opcode;
            message_compressed_ = frame_.compressed;
            message_size_ = 0;
            checked_ = 0;
        }
        if (delivers_.as_stream && is_text() && state_ == State::open) {
            // A control packet in a text frame closes the connection [MQTT-6.0.0-1].
            fail(CloseCode::unsupported_data, "sent a text frame", rules_->text_frames);
            return 0;
        }
        if (left_ > delivers_.max_message - message_size_) {
            fail(CloseCode::too_large, "sent a message that is too large", rules_->too_large);
            return 0;
        }
        message_size_ += left_;
    }
    if (left_ == 0) frame_ends();
    return frame_.size;
}

size_t Connection::take_payload(std::string_view bytes) {
    const auto here = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    if (here == 0) return 0;
    const uint64_t offset = frame_.length - left_;
    left_ -= here;
    if (is_control(frame_.opcode)) {
        const size_t before = control_.size();
        control_.resize(before + here);
        unmask(control_.data() + before, bytes.data(), here, frame_.mask, offset);
    } else if (state_ == State::open) {
        if (input_.capacity() == 0) input_ = shard().buffers().take();
        unmask(input_.reserve(here), bytes.data(), here, frame_.mask, offset);
        input_.commit(here);
        if (is_text() && !message_compressed_) {
            // As soon as it cannot become text any more (section 8.1).
            const auto whole = whole_utf8(input_.view().substr(checked_));
            if (!whole) {
                fail(CloseCode::bad_text, "sent text that is not UTF-8", rules_->bad_text);
                return 0;
            }
            checked_ += *whole;
        }
    }
    if (left_ == 0) frame_ends();
    return here;
}

void Connection::frame_ends() {
    in_frame_ = false;
    shard().hub().add_work(1);
    if (is_control(frame_.opcode)) return control_ends();
    if (frame_.fin && state_ == State::open && !delivers_.as_stream) message_ends();
}

void Connection::control_ends() {
    if (frame_.opcode == Opcode::ping) return answer_ping();
    if (frame_.opcode != Opcode::close) return;
    const auto said = read_close(control_);
    if (!said) {
        return fail(CloseCode::protocol_error, "WebSocket rules were broken: a bad close frame",
                    rules_->bad_frames);
    }
    if (!said->reason_is_text) {
        return fail(CloseCode::bad_text, "gave a reason that is not UTF-8", rules_->bad_text);
    }
    if (state_ == State::closing) {
        state_ = State::ending;
        return stream_->close();
    }
    end(said->code, {}, "closed by the peer, code " + std::to_string(static_cast<int>(said->code)));
}

// To one that does not take what we send, only the latest ping is answered (section 5.5.3), when it
// takes something again: pings without end do not fill the memory.
void Connection::answer_ping() {
    if (stream_->congested()) {
        owed_pong_ = control_;
    } else {
        owed_pong_.reset();
        send(Opcode::pong, control_);
    }
}

void Connection::message_ends() {
    if (message_compressed_) {
        OutBuffer plain = shard().buffers().take();
        const Inflated result = inflate_message(input_.view(), delivers_.max_message, plain);
        std::swap(input_, plain);
        shard().buffers().give(std::move(plain));
        if (result == Inflated::too_large) {
            return fail(CloseCode::too_large, "sent a message that is too large when inflated",
                        rules_->too_large);
        }
        if (result == Inflated::malformed) {
            return fail(CloseCode::bad_text, "sent a message that cannot be inflated",
                        rules_->bad_frames);
        }
        if (is_text()) checked_ = is_plain_utf8(input_.view()) ? input_.size() : SIZE_MAX;
    }
    if (is_text() && checked_ != input_.size()) {
        return fail(CloseCode::bad_text, "sent text that is not UTF-8", rules_->bad_text);
    }
    shard().hub().add_work(kUnitsOfMessage + input_.size() / kBytesPerUnit);
    user_->on_message(input_.view(), is_text());
    input_.clear();
    checked_ = 0;
}

void Connection::give_data() {
    if (!delivers_.as_stream || input_.empty() || user_ == nullptr || state_ != State::open ||
        paused_)
        return;
    const size_t used = user_->on_data(input_.view());
    input_.consume(std::min(used, input_.size()));
}

void Connection::pause() {
    if (std::exchange(paused_, true)) return;
    stream_->pause_reading();
}

void Connection::resume() {
    if (!std::exchange(paused_, false)) return;
    heard_ = true;  // nobody listened to it meanwhile
    read_on();
}

// A read holds thousands of small messages, each perhaps for thousands of subscribers, or a hundred
// that are large once they are inflated.
void Connection::wait_for_turn() {
    busy_ = true;
    stream_->pause_reading();
    shard().at_end_of_turn(*this);
}

void Connection::end_of_turn() {
    if (shard().congested()) {  // by what was read here, perhaps
        return shard().when_clear([alive = alive_] {
            if (*alive != nullptr) (*alive)->end_of_turn();
        });
    }
    busy_ = false;
    read_on();
}

void Connection::read_on() {
    if (paused_ || busy_) return;
    if (!input_.empty()) {
        // What was left over comes first.
        shard().post([alive = alive_] {
            if (*alive != nullptr) (*alive)->give_data();
        });
    }
    stream_->resume_reading();
}

// --- writing ---

void Connection::send(Opcode opcode, std::string_view payload) {
    if (state_ != State::open) return;
    if (delivers_.deflate_window != 0 && !is_control(opcode) && payload.size() >= kWorthDeflating) {
        const auto small = deflate_message(payload, delivers_.deflate_window);
        if (small.size() < payload.size()) {
            return append_frame(stream_->output(), opcode, small, true);
        }
    }
    append_frame(stream_->output(), opcode, payload);
}

void Connection::on_output_drained() {
    heard_ = true;  // it takes what we send
    if (const auto pong = std::exchange(owed_pong_, std::nullopt)) send(Opcode::pong, *pong);
    if (state_ == State::open && user_ != nullptr) user_->on_drained();
}

// --- pings and ends ---

void Connection::set_ping_timer() {
    heard_ = false;
    if (rules_->ping_interval_ms == 0) return timer_.cancel();
    timer_.set(shard().now_ms() + rules_->ping_interval_ms);
}

void Connection::time_is_up() {
    if (state_ == State::closing) {
        state_ = State::ending;
        why_ += ", and the peer did not answer in time";
        return stream_->abort(why_);
    }
    if (state_ == State::ending) return;
    const size_t backlog = stream_->backlog();
    // Of one that we do not listen to at the moment it is enough that it takes what we send.
    const bool takes = backlog < backlog_before_ || (paused_ && backlog == 0);
    if (heard_ || takes) {
        ping_sent_ = false;
    } else if (ping_sent_) {
        rules_->silent->add(shard().index());
        return abort("did not answer a ping");
    } else {
        ping_sent_ = true;
        send(Opcode::ping, {});
    }
    backlog_before_ = backlog;  // without the ping
    set_ping_timer();
}

void Connection::fail(CloseCode code, std::string why, Counter* counter) {
    counter->add(shard().index());
    end(code, why, why);
}

void Connection::end(CloseCode code, std::string_view reason, std::string why) {
    give_data();  // what came before the end; it may have been a word to end it
    if (state_ == State::ending) return;
    if (state_ == State::open) {
        if (user_ != nullptr) user_->on_ending();
        append_close(stream_->output(), code, reason);
        why_ = std::move(why);
    }
    state_ = State::ending;
    timer_.cancel();
    stream_->close();
}

void Connection::close(CloseCode code, std::string_view reason, std::string why) {
    if (state_ != State::open) return;
    append_close(stream_->output(), code, reason);
    state_ = State::closing;
    why_ = std::move(why);
    timer_.set(shard().now_ms() + kCloseTimeMs);
    if (std::exchange(paused_, false)) read_on();
}

void Connection::abort(std::string_view why) {
    if (state_ == State::ending) return;
    state_ = State::ending;
    timer_.cancel();
    why_ = why;
    stream_->abort(why);
}

void Connection::on_closed(std::string_view why) {
    timer_.cancel();
    if (why_.empty()) {
        why_ = why == "closed by the peer" ? "closed by the peer without a close frame" : why;
    }
    state_ = State::ending;
    const std::string told = std::move(why_);
    if (user_ != nullptr) user_->on_closed(told);  // may destroy this
}

}  // namespace trestle::websocket
