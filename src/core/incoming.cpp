#include "core/incoming.h"

namespace trestle {

namespace {

/// It was not taken: when it comes again, it is new.
bool lost(Outcome outcome) {
    return outcome == Outcome::queue_full || outcome == Outcome::timed_out;
}

}  // namespace

std::shared_ptr<Incoming> Incoming::make(size_t window) {
    std::shared_ptr<Incoming> made(new Incoming(window));
    made->self_ = made;
    return made;
}

Incoming::Arrival Incoming::look_up(Qos qos, uint16_t packet_id, bool dup) {
    Exchange* known = exchanges_.find(packet_id);
    if (known == nullptr) {
        ++last_;
        return Arrival::fresh;
    }
    if (known->here) {
        if (known->qos != qos) return Arrival::in_use;
        if (known->state == State::answered) return Arrival::finished;
        // Once more over the same connection: it gets its one answer in its place. At QoS 2 the
        // flag says nothing.
        return dup || qos == Qos::exactly_once ? Arrival::joined : Arrival::in_use;
    }
    // Left by a former connection. Without DUP at QoS 1 the client has forgotten that message.
    if (known->qos != qos || (qos == Qos::at_least_once && !dup)) {
        exchanges_.erase(packet_id);
        ++last_;
        return Arrival::fresh;
    }
    known->here = true;
    ++open_here_;
    if (known->state == State::answered) return Arrival::finished;
    due_[place(qos)].push_back({packet_id, 0});
    return Arrival::joined;
}

void Incoming::begin(Qos qos, uint16_t packet_id, State state, Outcome outcome) {
    exchanges_.insert(packet_id, {token(packet_id), qos, state, outcome, true});
    ++open_here_;
}

bool Incoming::enter(Qos qos, uint16_t packet_id, Outcome outcome) {
    const bool first = due_[place(qos)].empty();
    begin(qos, packet_id, first ? State::answered : State::known, outcome);
    if (first) return false;
    due_[place(qos)].push_back({packet_id, 0});
    return true;
}

void Incoming::pending(Qos qos, uint16_t packet_id) {
    begin(qos, packet_id, State::pending, Outcome::accepted);
    due_[place(qos)].push_back({packet_id, 0});
}

bool Incoming::refused(Qos qos, uint16_t packet_id, uint8_t refusal) {
    if (due_[place(qos)].empty()) return false;
    due_[place(qos)].push_back({packet_id, refusal});
    ++due_refusals_;
    return true;
}

bool Incoming::next(Qos qos, Answer& answer) {
    auto& due = due_[place(qos)];
    if (due.empty()) return false;
    const Due first = due.front();
    if (first.refusal != 0) {
        due.pop_front();
        --due_refusals_;
        answer = {first.packet_id, Outcome::accepted, first.refusal};
        return true;
    }
    Exchange* exchange = exchanges_.find(first.packet_id);
    if (exchange->state == State::pending) return false;
    due.pop_front();
    answer = {first.packet_id, exchange->outcome, 0};
    if (qos == Qos::exactly_once) {
        exchange->state = State::answered;
    } else {
        end(first.packet_id);
    }
    return true;
}

void Incoming::end(uint16_t packet_id) {
    if (exchanges_.find(packet_id)->here) --open_here_;
    exchanges_.erase(packet_id);
}

bool Incoming::release(uint16_t packet_id) {
    const Exchange* exchange = exchanges_.find(packet_id);
    if (exchange == nullptr || exchange->state != State::answered) return false;
    end(packet_id);
    return true;
}

bool Incoming::in_use(uint16_t packet_id) {
    const Exchange* exchange = exchanges_.find(packet_id);
    return exchange != nullptr && exchange->here;
}

void Incoming::on_settled(uint64_t token, Outcome outcome) {
    const auto packet_id = static_cast<uint16_t>(token);
    Exchange* exchange = exchanges_.find(packet_id);
    if (exchange == nullptr || exchange->token != token || exchange->state != State::pending)
        return;
    if (!exchange->here && lost(outcome)) return void(exchanges_.erase(packet_id));
    exchange->state = State::known;
    exchange->outcome = outcome;
    if (exchange->here && sink_ != nullptr) sink_->answers_known(exchange->qos);
}

void Incoming::detach() {
    sink_ = nullptr;
    for (auto& due : due_) due.clear();
    open_here_ = due_refusals_ = 0;
    const bool too_many = exchanges_.size() > window_;
    exchanges_.erase_if([too_many](uint16_t, Exchange& exchange) {
        const bool asked_again = exchange.here;
        exchange.here = false;
        if (exchange.state != State::known) return false;
        if (lost(exchange.outcome)) return true;
        return exchange.qos == Qos::at_least_once && too_many && !asked_again;
    });
}

}  // namespace trestle
