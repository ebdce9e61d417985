#include "websocket/json/requests.h"

#include <charconv>

#include "core/properties.h"

namespace trestle::websocket::json {

namespace {

/// 0: it is not ours.
uint64_t number_of(const MessageView& response) {
    const auto data = ApplicationProperties(response.properties).correlation_data();
    if (!data) return 0;
    uint64_t number = 0;
    const char* end = data->data() + data->size();
    const auto [at, error] = std::from_chars(data->data(), end, number);
    return error == std::errc() && at == end ? number : 0;
}

}  // namespace

Requests::Waiting::Waiting(Requests& all_, uint64_t number_, std::string id_)
    : all(all_),
      number(number_),
      id(std::move(id_)),
      timer(
          all_.hub_.timers(),
          [](void* self) {
              auto& late = *static_cast<Waiting*>(self);
              late.all.refuse(late.number, {Code::timed_out, "no response came in time"});
          },
          this) {}

// Below a level with $ no wildcard of anybody at the first level sees the responses.
Requests::Requests(HubShard& hub, const SessionLedger& ledger, RequestOwner& owner,
                   std::string_view client_id)
    : hub_(hub), ledger_(ledger), owner_(owner), topic_("$response/" + std::string(client_id)) {
    hub_.subscribe(*this, topic_, {});
}

Requests::~Requests() { hub_.unsubscribe(*this, topic_); }

uint64_t Requests::add(std::string id, uint64_t due_ms) {
    const uint64_t number = ++last_;
    auto waiting = std::make_unique<Waiting>(*this, number, std::move(id));
    waiting->timer.set(due_ms);
    waiting_.emplace(number, std::move(waiting));
    return number;
}

void Requests::refuse(uint64_t number, const Fault& fault) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    const auto ended = std::move(found->second);
    waiting_.erase(found);
    owner_.refuse_request(ended->id, fault);
}

void Requests::deliver(Delivery& delivery, const SubscriptionMatch&) {
    const ShardIndex cell = hub_.index();
    ledger_.matched->add(cell);
    const auto found = waiting_.find(number_of(delivery.message()));
    if (found == waiting_.end()) return ledger_.drop(cell, DropReason::no_subscriber);
    const auto ended = std::move(found->second);
    waiting_.erase(found);
    if (owner_.answer_request(ended->id, delivery.message())) {
        ledger_.sent->add(cell);
    } else {
        ledger_.drop(cell, DropReason::queue_full);
    }
}

}  // namespace trestle::websocket::json
