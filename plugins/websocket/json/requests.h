// A client's requests that wait for a response (MQTT 5.0 section 4.10): the gateway makes the
// response topic, one for each client, and the correlation data, one for each request.
//
// Owned by the client, on its shard. It subscribes by itself, beside the client's session: what
// comes is the answer of an operation and no message, and each copy is counted in the same books.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/hub.h"
#include "core/ledger.h"
#include "core/timer_queue.h"
#include "websocket/json/operation.h"

namespace trestle::websocket::json {

class RequestOwner {
 public:
    virtual ~RequestOwner() = default;
    /// False: the connection has no room for it.
    virtual bool answer_request(std::string_view id, const MessageView& response) = 0;
    virtual void refuse_request(std::string_view id, const Fault& fault) = 0;
};

class Requests final : public Subscriber {
 public:
    Requests(HubShard& hub, const SessionLedger& ledger, RequestOwner& owner,
             std::string_view client_id);
    /// What waits is forgotten.
    ~Requests() override;

    [[nodiscard]] size_t waiting() const { return waiting_.size(); }
    /// Enters one; its number is its correlation data, in decimal.
    uint64_t add(std::string id, uint64_t due_ms);
    [[nodiscard]] const std::string& response_topic() const { return topic_; }
    /// It ends with an error.
    void refuse(uint64_t number, const Fault& fault);

    void deliver(Delivery& delivery, const SubscriptionMatch& match) override;

 private:
    struct Waiting {
        Waiting(Requests& all, uint64_t number_, std::string id_);
        Requests& all;
        uint64_t number;
        std::string id;
        Timer timer;
    };

    HubShard& hub_;
    const SessionLedger& ledger_;
    RequestOwner& owner_;
    std::string topic_;
    std::unordered_map<uint64_t, std::unique_ptr<Waiting>> waiting_;
    uint64_t last_ = 0;
};

}  // namespace trestle::websocket::json
