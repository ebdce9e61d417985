#include "mqtt/topic_aliases.h"

#include <functional>

namespace trestle::mqtt {

TopicAliases::Choice TopicAliases::choose(std::string_view topic) {
    if (topic.size() < kShortest) return {};
    const uint64_t hash = std::hash<std::string_view>()(topic);
    const size_t number = hash % places_.size();
    Place& place = places_[number];
    const auto alias = static_cast<uint16_t>(number + 1);
    if (place.topic == topic) return {alias, false};
    if (place.last == hash || place.topic.empty()) return {alias, true};
    place.last = hash;
    return {};
}

}  // namespace trestle::mqtt
