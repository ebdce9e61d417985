#include "core/ack.h"

#include <utility>

namespace trestle {

Ack::Ack(boost::intrusive_ptr<PendingAck> pending) : pending_(std::move(pending)) {
    if (pending_) pending_->open_.fetch_add(1, std::memory_order_relaxed);
}

Ack& Ack::operator=(Ack&& other) noexcept {
    if (this != &other) {
        settle(Outcome::given_up);
        pending_ = std::move(other.pending_);
    }
    return *this;
}

void Ack::settle(Outcome outcome) noexcept {
    if (!pending_) return;
    const auto pending = std::exchange(pending_, nullptr);
    auto worst = pending->worst_.load(std::memory_order_relaxed);
    const auto mine = static_cast<uint8_t>(outcome);
    while (mine > worst && !pending->worst_.compare_exchange_weak(worst, mine)) {
    }
    if (pending->open_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending->report();
}

void PendingAck::report() noexcept {
    const auto outcome = static_cast<Outcome>(worst_.load(std::memory_order_relaxed));
    home_.post([receiver = std::move(receiver_), token = token_, outcome] {
        if (const auto alive = receiver.lock()) alive->on_settled(token, outcome);
    });
}

}  // namespace trestle
