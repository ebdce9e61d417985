// Whoever the hub delivers to, and what is handed over.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ack.h"
#include "core/encoded_forms.h"
#include "core/message.h"

namespace trestle {

class Subscriber;
struct MatchResult;
void intrusive_ptr_add_ref(MatchResult* result) noexcept;
void intrusive_ptr_release(MatchResult* result) noexcept;
using MatchPtr = boost::intrusive_ptr<MatchResult>;

/// How a client subscribed to one filter (MQTT 5.0 section 3.8.3.1).
struct SubscribeOptions {
    Qos qos = Qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    uint8_t retain_handling = 0;
    uint32_t subscription_id = 0;  ///< 0: none
};

/// Who publishes; one per connection or per receiving endpoint, used on one shard.
struct Publisher {
    EndpointId endpoint = 0;
    const Subscriber* self = nullptr;  ///< the same client's session, for "no local"
    std::string client_id;
    std::string user;
    /// The last topic's match: most publishers repeat their topics.
    MatchPtr last_match;
};

/// One message on its way to its receivers; lives on the publisher's stack.
class Delivery {
 public:
    /// `waiter` is null when the publisher does not wait (QoS 0).
    Delivery(const MessageView& message, const Publisher& from, Executor& home,
             const std::weak_ptr<AckReceiver>* waiter, uint64_t token)
        : message_(message), from_(from), home_(home), waiter_(waiter), token_(token) {}
    /// Of a message that is kept already, from nobody who waits.
    Delivery(MessagePtr kept, const Publisher& from, Executor& home)
        : message_(kept->view()),
          from_(from),
          home_(home),
          waiter_(nullptr),
          token_(0),
          kept_(std::move(kept)) {}
    Delivery(const Delivery&) = delete;

    [[nodiscard]] const MessageView& message() const { return message_; }
    [[nodiscard]] const Publisher& from() const { return from_; }
    /// The copy that outlives the call; made at the first call, shared by all.
    const MessagePtr& keep() {
        if (!kept_) kept_ = Message::copy_of(message_);
        return kept_;
    }
    /// The publisher will wait until the Ack is settled. Empty when it cannot wait (QoS 0).
    Ack defer();
    [[nodiscard]] bool can_defer() const { return waiter_ != nullptr; }
    /// Null when the message goes to one connection only.
    [[nodiscard]] EncodedForms* forms() const { return forms_; }
    /// Settled at once with something else than `accepted`.
    void worsen(Outcome outcome) {
        if (outcome > outcome_) outcome_ = outcome;
    }

 private:
    friend class HubShard;
    const MessageView& message_;
    const Publisher& from_;
    Executor& home_;
    const std::weak_ptr<AckReceiver>* waiter_;
    uint64_t token_;
    MessagePtr kept_;
    EncodedForms* forms_ = nullptr;
    Ack own_share_;  // held by the hub until every receiver has been offered the message
    boost::intrusive_ptr<PendingAck> pending_;
    Outcome outcome_ = Outcome::accepted;
};

/// What of a client's overlapping subscriptions applies to one copy: the highest QoS, all
/// identifiers.
struct SubscriptionMatch {
    SubscribeOptions options;
    std::vector<uint32_t> subscription_ids;
    uint32_t shared_group = 0;  ///< the group that this copy is for; 0: none
};

/// A session. Lives on one shard and is called there only.
class Subscriber {
 public:
    virtual ~Subscriber() = default;
    /// Takes one copy of the message, or drops it by its policy and counts it. Never blocks, never
    /// publishes or subscribes on the same stack.
    virtual void deliver(Delivery& delivery, const SubscriptionMatch& match) = 0;
};

}  // namespace trestle
