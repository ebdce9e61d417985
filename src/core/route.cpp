#include "core/route.h"

#include <algorithm>
#include <utility>

#include "core/topic.h"

namespace trestle {

Route::Route(RouteOptions options, Mapping mapping, EndpointId to, RouteSink* sink, EndpointId from,
             RouteLedger ledger, std::optional<Mapping> order)
    : options_(std::move(options)),
      mapping_(std::move(mapping)),
      to_(to),
      from_(from),
      sink_(sink),
      ledger_(ledger),
      order_(std::move(order)),
      member_(std::make_shared<MemberState>()) {
    member_->readiness = MemberState::away;
}

bool Route::excluded(std::string_view topic) const {
    return std::ranges::any_of(options_.exclude,
                               [&](const auto& filter) { return filter_matches(filter, topic); });
}

bool Route::key_for(std::string_view topic, std::string& key) const {
    if (!mapping_.to_zmq(topic, key) || excluded(topic)) return false;
    if (options_.terminates_keys) key.push_back('\0');
    return true;
}

bool Route::order_key_for(std::string_view topic, std::string& key) const {
    return order_ && order_->to_zmq(topic, key);
}

bool Route::topic_for(std::string_view key, std::string& topic) const {
    return mapping_.to_mqtt(key, topic) && !excluded(topic);
}

}  // namespace trestle
