#include "core/session.h"

#include <algorithm>

#include "core/topic.h"

namespace trestle {

Session::Session(HubShard& hub, std::string client_id, const SessionLimits& limits,
                 const SessionLedger& ledger)
    : hub_(hub), client_id_(std::move(client_id)), limits_(limits), ledger_(ledger) {}

Session::~Session() {
    unsubscribe_all();
    if (member_) pass_on_shared();
    drop_all(DropReason::session_ended);
}

void Session::deliver(Delivery& delivery, const SubscriptionMatch& match) {
    take(delivery, delivery.message().retain && match.options.retain_as_published, match);
}

void Session::deliver_retained(MessagePtr message, const SubscriptionMatch& match) {
    static const Publisher kNobody;
    if (expired(message->view())) {
        ledger_.matched->add(hub_.index());
        drop(DropReason::expired);
        return;
    }
    Delivery delivery(std::move(message), kNobody, hub_.executor());
    take(delivery, true, match);
}

void Session::make_incoming() {
    incoming_ = Incoming::make(limits_.incoming_window);
    if (sink_ != nullptr) incoming_->attach(*sink_);
}

void Session::take(Delivery& delivery, bool retain, const SubscriptionMatch& match) {
    ledger_.matched->add(hub_.index());
    const MessageView& message = delivery.message();
    const Qos qos = std::min(message.qos, match.options.qos);
    if (sink_ == nullptr || !queue_.empty() || !sink_->writable() ||
        (qos != Qos::at_most_once && !window_open())) {
        enqueue(delivery, qos, retain, match);
        return;
    }
    if (qos == Qos::at_most_once) {
        if (sink_->send(
                {message, qos, retain, false, 0, match.subscription_ids, delivery.forms()})) {
            ledger_.sent->add(hub_.index());
        } else {
            drop(DropReason::too_large);
        }
        return;
    }
    const size_t bytes = message.size() + bytes_of(match.subscription_ids);
    if (!room_in_flight(bytes)) [[unlikely]] {
        sink_->on_queue_full();
        drop(DropReason::queue_full);
        return;
    }
    const uint16_t id = next_packet_id();
    if (!sink_->send({message, qos, retain, false, id, match.subscription_ids, delivery.forms()})) {
        drop(DropReason::too_large);
        return;
    }
    put_in_flight({delivery.keep(), match.subscription_ids, match.shared_group, qos, retain}, bytes,
                  id);
}

void Session::count_in_flight() {
    in_flight_step_ = sink_ == nullptr ? in_flight_bytes_ : in_flight_bytes_ / kStep * kStep;
    const size_t counted = in_flight_step_ == 0 ? 0 : in_flight_step_ + in_flight_count_ * kBeside;
    auto& account = hub_.session_bytes();
    account.add(counted);
    account.give_back(std::exchange(in_flight_counted_, counted));
}

void Session::put_in_flight(Queued&& publish, size_t bytes, uint16_t id) {
    const State state =
        publish.qos == Qos::at_least_once ? State::awaiting_puback : State::awaiting_pubrec;
    in_flight_bytes_ += bytes;
    if (places_) [[unlikely]]
        places_->insert(id, left_slots_ + static_cast<uint32_t>(in_flight_.size()));
    in_flight_.push_back({std::move(publish), id, state, true});
    resend_at_ = in_flight_.size();
    ++in_flight_count_;
    ++outstanding_;
    note_in_flight();
    ledger_.in_flight->add(hub_.index(), 1);
    tell_readiness();
}

void Session::enqueue(Delivery& delivery, Qos qos, bool retain, const SubscriptionMatch& match) {
    if (sink_ == nullptr && qos == Qos::at_most_once && !limits_.queue_qos0_offline) {
        drop(DropReason::no_subscriber);  // nobody there, and QoS 0 promises nothing
        return;
    }
    const size_t bytes = delivery.message().size() + bytes_of(match.subscription_ids);
    if (!make_room(bytes)) {
        drop(DropReason::queue_full);
        return;
    }
    put_in_queue({delivery.keep(), match.subscription_ids, match.shared_group, qos, retain}, bytes);
    ledger_.queued->add(hub_.index());
    tell_readiness();
}

void Session::put_in_queue(Queued&& item, size_t bytes) {
    queue_.push_back(std::move(item));
    queued_bytes_ += bytes;
    hub_.session_bytes().add(bytes + kBeside);
    ledger_.queue_messages->add(hub_.index(), 1);
    ledger_.queue_bytes->add(hub_.index(), static_cast<int64_t>(bytes));
}

bool Session::make_room(size_t bytes) {
    size_t most = limits_.max_queued_bytes;
    // What others hold it cannot drop: when they leave no room, it may only replace its own.
    if (!hub_.session_bytes().has_room_to_queue(bytes + kBeside)) {
        most = std::min(most, queued_bytes_);
    }
    const auto fits = [&] {
        return queue_.size() < limits_.max_queued_messages && queued_bytes_ + bytes <= most;
    };
    if (fits()) return true;
    if (sink_ != nullptr) sink_->on_queue_full();
    if (!limits_.drop_oldest || bytes > most) return false;
    while (!fits() && !queue_.empty()) {
        take_front();
        drop(DropReason::queue_full);
    }
    return fits();
}

Session::Queued Session::take_front() {
    Queued item = queue_.pop_front();
    const auto bytes = item.bytes();
    queued_bytes_ -= bytes;
    hub_.session_bytes().give_back(bytes + kBeside);
    ledger_.queue_messages->add(hub_.index(), -1);
    ledger_.queue_bytes->add(hub_.index(), -static_cast<int64_t>(bytes));
    return item;
}

void Session::pump() {
    resend();
    while (sink_ != nullptr && !queue_.empty() && sink_->writable()) {
        const Queued& next = queue_.front();
        if (expired(next.message->view())) {
            take_front();
            drop(DropReason::expired);
            continue;
        }
        if (next.qos != Qos::at_most_once && !window_open()) return;
        send_queued(take_front());
    }
    queue_.shrink();
    if (retained_) {
        retained_->go_on();
        if (retained_->done()) retained_.reset();
    }
    tell_readiness();
}

void Session::send_queued(Queued&& item) {
    const bool acknowledged = item.qos != Qos::at_most_once;
    const uint16_t id = acknowledged ? next_packet_id() : uint16_t{0};
    if (!sink_->send(
            {item.message->view(), item.qos, item.retain, false, id, item.subscription_ids})) {
        drop(DropReason::too_large);
    } else if (acknowledged) {
        const size_t bytes = item.bytes();
        put_in_flight(std::move(item), bytes, id);
    } else {
        ledger_.sent->add(hub_.index());
    }
}

void Session::attach(SessionSink& sink, uint16_t receive_maximum) {
    sink_ = &sink;
    if (incoming_) incoming_->attach(sink);
    window_ = std::min(receive_maximum, limits_.max_inflight);
    resend_at_ = 0;
    outstanding_ = 0;
    for (size_t i = 0; i < in_flight_.size(); ++i) in_flight_[i].sent = false;
    pump();
}

void Session::resend() {
    while (sink_ != nullptr && resend_at_ < in_flight_.size() && outstanding_ < window_ &&
           sink_->writable()) {
        InFlight& slot = in_flight_[resend_at_];
        ++resend_at_;
        if (slot.state == State::free) continue;
        if (send_again(slot)) {
            slot.sent = true;
            ++outstanding_;
        } else {
            // This connection takes smaller packets than the last one: as if sent [MQTT-3.1.2-25].
            drop(DropReason::too_large);
            release(slot);
        }
    }
}

bool Session::send_again(InFlight& slot) {
    if (slot.state == State::awaiting_pubcomp) {
        sink_->send_pubrel(slot.packet_id);
        return true;
    }
    const Queued& publish = slot.publish;
    return sink_->send({publish.message->view(), publish.qos, publish.retain, true, slot.packet_id,
                        publish.subscription_ids});
}

void Session::detach() {
    sink_ = nullptr;
    count_in_flight();
    if (incoming_) incoming_->detach();
    if (retained_) retained_->detach();
    tell_readiness();
    if (limits_.queue_qos0_offline) return;
    // What waited at QoS 0 for the connection has nobody to wait for any more.
    const size_t before = queue_.size();
    for (size_t i = 0; i < before; ++i) {
        Queued item = take_front();
        if (item.qos == Qos::at_most_once) {
            drop(DropReason::session_ended);
            continue;
        }
        const size_t bytes = item.bytes();
        put_in_queue(std::move(item), bytes);
    }
    queue_.shrink();
}

bool Session::on_puback(uint16_t packet_id, bool failed) {
    InFlight* slot = find(packet_id);
    if (slot == nullptr || slot->state != State::awaiting_puback) return false;
    failed ? refuse(*slot) : finish(*slot);
    return true;
}

bool Session::on_pubrec(uint16_t packet_id, bool failed) {
    InFlight* slot = find(packet_id);
    if (slot == nullptr || slot->state == State::awaiting_puback) return false;
    if (failed) {
        refuse(*slot);
        return true;
    }
    slot->state = State::awaiting_pubcomp;
    let_go_of_message(*slot);  // never sent again [MQTT-4.3.3-4]
    note_in_flight();
    if (sink_ != nullptr) sink_->send_pubrel(packet_id);
    return true;
}

bool Session::on_pubcomp(uint16_t packet_id) {
    InFlight* slot = find(packet_id);
    if (slot == nullptr || slot->state != State::awaiting_pubcomp) return false;
    finish(*slot);
    return true;
}

uint32_t Session::from_first(uint16_t packet_id) const {
    const uint16_t first = in_flight_[0].packet_id;
    return packet_id >= first ? packet_id - first : packet_id + 65'535u - first;
}

// Packet ids are given in turn, so an id's place follows from the first one's.
Session::InFlight* Session::find(uint16_t packet_id) {
    if (in_flight_.empty()) return nullptr;
    const uint32_t guess = from_first(packet_id);
    if (!places_ && guess < in_flight_.size() && in_flight_[guess].packet_id == packet_id) {
        return in_flight_[guess].state == State::free ? nullptr : &in_flight_[guess];
    }
    return search(packet_id);
}

// Of a client that leaves holes for long, or that names what is not there.
Session::InFlight* Session::search(uint16_t packet_id) {
    if (packet_id == 0) return nullptr;
    if (places_) {
        const uint32_t* place = places_->find(packet_id);
        return place == nullptr ? nullptr : &in_flight_[*place - left_slots_];
    }
    const uint32_t wanted = from_first(packet_id);
    size_t from = 0;
    for (size_t to = in_flight_.size(); from < to;) {
        const size_t middle = (from + to) / 2;
        if (from_first(in_flight_[middle].packet_id) < wanted) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    if (from == in_flight_.size()) return nullptr;
    InFlight& slot = in_flight_[from];
    return slot.packet_id == packet_id && slot.state != State::free ? &slot : nullptr;
}

void Session::note_places() {
    places_ = std::make_unique<PacketIdMap<uint32_t>>();
    for (size_t i = 0; i < in_flight_.size(); ++i) {
        const InFlight& slot = in_flight_[i];
        if (slot.state == State::free) continue;
        places_->insert(slot.packet_id, left_slots_ + static_cast<uint32_t>(i));
    }
}

void Session::finish(InFlight& slot) {
    ledger_.acked->add(hub_.index());
    release(slot);
    pump();
}

void Session::refuse(InFlight& slot) {
    if (ledger_.refused != nullptr) ledger_.refused->add(hub_.index());
    release(slot);
    pump();
}

// Another member gets what this one has not acknowledged, unless it has expired [MQTT-3.3.2-5]; a
// QoS 2 message that was sent stays [MQTT-4.8.2-4], [MQTT-4.8.2-5]. In these books it is dropped,
// in the other session's it is new.
void Session::pass_on_shared() {
    for (size_t i = 0; i < in_flight_.size(); ++i) {
        InFlight& slot = in_flight_[i];
        if (slot.publish.shared_group == 0 || slot.state != State::awaiting_puback) continue;
        if (pass_on(slot.publish)) continue;
        slot.state = State::free;
        --in_flight_count_;
        ledger_.in_flight->add(hub_.index(), -1);
    }
    for (size_t left = queue_.size(); left > 0; --left) {
        const Queued item = take_front();
        if (item.shared_group == 0 || pass_on(item)) drop(DropReason::session_ended);
    }
}

bool Session::pass_on(const Queued& item) {
    if (expired(item.message->view())) {
        drop(DropReason::expired);
        return false;
    }
    hub_.pass_on(item.shared_group, item.message);
    return true;
}

void Session::set_readiness() {
    const auto now = sink_ == nullptr                  ? MemberState::away
                     : queue_.empty() && window_open() ? MemberState::ready
                                                       : MemberState::busy;
    member_->readiness.store(now, std::memory_order_relaxed);
}

void Session::let_go_of_message(InFlight& slot) {
    if (!slot.publish.message) return;
    in_flight_bytes_ -= slot.publish.bytes();
    slot.publish.message = nullptr;
    slot.publish.subscription_ids = {};
}

void Session::release(InFlight& slot) {
    let_go_of_message(slot);
    if (places_) [[unlikely]]
        places_->erase(slot.packet_id);
    slot.publish = {};
    slot.state = State::free;
    if (std::exchange(slot.sent, false)) --outstanding_;
    --in_flight_count_;
    note_in_flight();
    ledger_.in_flight->add(hub_.index(), -1);
    while (!in_flight_.empty() && in_flight_.front().state == State::free) {
        in_flight_.pop_front();
        ++left_slots_;
        if (resend_at_ != 0) --resend_at_;
    }
    if (in_flight_.size() > 2 * size_t{in_flight_count_} + 1024) compact();
}

// One message that is never acknowledged must not keep every later slot alive.
void Session::compact() {
    const size_t before = in_flight_.size();
    size_t resent = 0;
    for (size_t i = 0; i < before; ++i) {
        InFlight slot = in_flight_.pop_front();
        if (slot.state == State::free) continue;
        if (i < resend_at_) ++resent;
        in_flight_.push_back(std::move(slot));
    }
    resend_at_ = resent;
    if (places_) note_places();
}

// Ids are given in turn: the first one to be in use still is that of the oldest message in flight
// [MQTT-2.2.1-3].
uint16_t Session::next_packet_id() {
    if (in_flight_.empty()) places_.reset();
    do {
        last_packet_id_ = last_packet_id_ == 65'535 ? uint16_t{1} : uint16_t(last_packet_id_ + 1);
        if (!places_ && !in_flight_.empty() && last_packet_id_ == in_flight_.front().packet_id) {
            note_places();
        }
    } while (places_ && search(last_packet_id_) != nullptr);
    return last_packet_id_;
}

bool Session::subscribe(const std::string& filter, const SubscribeOptions& options) {
    const bool known = !subscriptions_.insert_or_assign(filter, options).second;
    if (!known) subscription_quota_.take(filter);
    if (const auto shared = parse_shared(filter)) {
        if (!member_) member_ = std::make_shared<MemberState>();
        tell_readiness();
        hub_.subscribe_shared(*this, shared->group, shared->filter, options, member_);
    } else {
        hub_.subscribe(*this, filter, options);
    }
    return known;
}

void Session::want_retained(const std::string& filter, const SubscribeOptions& options) {
    if (hub_.hub().retained().messages() == 0) return;
    if (!retained_) retained_ = std::make_shared<RetainedReader>(hub_, *this);
    retained_->add(filter, options, options.no_local ? publisher_hash(client_id_) : 0);
}

void Session::send_retained(const std::string& filter, const SubscribeOptions& options) {
    want_retained(filter, options);
    if (retained_) pump();
}

bool Session::unsubscribe(const std::string& filter) {
    if (subscriptions_.erase(filter) == 0) return false;
    subscription_quota_.give_back(filter);
    if (retained_) retained_->remove(filter);
    if (const auto shared = parse_shared(filter)) {
        hub_.unsubscribe_shared(*this, shared->group, shared->filter);
    } else {
        hub_.unsubscribe(*this, filter);
    }
    return true;
}

void Session::unsubscribe_all() {
    retained_.reset();
    while (!subscriptions_.empty()) unsubscribe(std::string(subscriptions_.begin()->first));
}

void Session::drop_all(DropReason reason) {
    while (!queue_.empty()) {
        take_front();
        drop(reason);
    }
    if (in_flight_count_ != 0) {
        drop(reason, in_flight_count_);
        ledger_.in_flight->add(hub_.index(), -static_cast<int64_t>(in_flight_count_));
    }
    in_flight_.clear();
    places_.reset();
    in_flight_count_ = outstanding_ = 0;
    in_flight_bytes_ = resend_at_ = 0;
    count_in_flight();
}

}  // namespace trestle
