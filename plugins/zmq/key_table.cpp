#include "zmq/key_table.h"

#include <algorithm>
#include <functional>

#include "core/topic.h"
#include "core/utf8.h"

namespace trestle::zmq {

KeyTable::KeyTable() : slots_(kSlots) {}

void KeyTable::set_routes(const std::vector<RoutePtr>& routes, EndpointId from) {
    routes_.clear();
    for (const auto& route : routes) {
        if (route->from() == from) routes_.push_back(route);
    }
    std::ranges::stable_sort(routes_, [](const RoutePtr& a, const RoutePtr& b) {
        return a->mapping().compare_specificity(b->mapping()) > 0;
    });
    slots_.assign(kSlots, {});
    topic_.clear();
}

const Route* KeyTable::look_up(std::string_view key, std::string& topic) const {
    for (const auto& route : routes_) {
        if (route->topic_for(key, topic)) return route.get();
    }
    return nullptr;
}

KeyTable::Found KeyTable::find(std::string_view key) {
    if (key.size() > kLongestKept) {
        const Route* route = look_up(key, topic_);
        return {route, topic_};
    }
    Slot& slot = slots_[std::hash<std::string_view>()(key) % kSlots];
    if (slot.route == nullptr || slot.key != key) {
        slot.route = look_up(key, slot.topic);
        slot.key = key;
    }
    return {slot.route, slot.topic};
}

KeyTable::Found KeyTable::fixed() {
    if (routes_.empty()) return {};
    const Route& route = *routes_.front();
    // Without captures the prefix is the whole key.
    if (topic_.empty() && !route.topic_for(route.mapping().zmq_prefix(), topic_)) return {};
    return {&route, topic_};
}

bool is_usable_key(std::string_view key) {
    return is_valid_topic_name(key) && is_valid_mqtt_utf8(key);
}

}  // namespace trestle::zmq
