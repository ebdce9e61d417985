// The right and duty to report one message's fate to its publisher.
//
// Most messages need none: the hub settles them on the same stack, and `publish` returns the
// outcome. A receiver that cannot say yet (a full route, a worker, a store) asks its `Delivery` for
// an Ack and settles it later, from any thread, exactly once. The publisher hears of it on its own
// shard when all of the message's Acks are settled, with the worst outcome.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <memory>

#include "core/executor.h"
#include "core/outcome.h"

namespace trestle {

/// A publisher that waits. Called on its own shard, never from inside `publish`.
class AckReceiver {
 public:
    virtual ~AckReceiver() = default;
    virtual void on_settled(uint64_t token, Outcome outcome) = 0;
};

/// What all Acks of one message share.
class PendingAck {
 public:
    PendingAck(Executor& home, std::weak_ptr<AckReceiver> receiver, uint64_t token)
        : home_(home), receiver_(std::move(receiver)), token_(token) {}

 private:
    friend class Ack;
    friend void intrusive_ptr_add_ref(PendingAck* p) noexcept {
        p->references_.fetch_add(1, std::memory_order_relaxed);
    }
    friend void intrusive_ptr_release(PendingAck* p) noexcept {
        if (p->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete p;
    }
    void report() noexcept;

    std::atomic<uint32_t> references_{0};
    std::atomic<uint32_t> open_{0};
    std::atomic<uint8_t> worst_{0};
    Executor& home_;
    std::weak_ptr<AckReceiver> receiver_;
    uint64_t token_;
};

/// One share. Movable; destroyed without `settle` it reports `given_up`, so that nobody waits for
/// ever.
class Ack {
 public:
    Ack() = default;
    explicit Ack(boost::intrusive_ptr<PendingAck> pending);
    Ack(Ack&& other) noexcept = default;
    Ack& operator=(Ack&& other) noexcept;
    ~Ack() { settle(Outcome::given_up); }

    /// From any thread. A second call, or a call on an empty Ack, does nothing.
    void settle(Outcome outcome) noexcept;
    explicit operator bool() const { return pending_ != nullptr; }

 private:
    boost::intrusive_ptr<PendingAck> pending_;
};

}  // namespace trestle
