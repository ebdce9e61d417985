#include "core/shared_group.h"

#include <algorithm>

namespace trestle {

size_t SharedGroup::choose(std::span<const RoutedMember> routed, EndpointId origin) const {
    constexpr size_t kMostAsked = 64;  // a large group at a standstill must not cost every message
    const auto is_candidate = [&](size_t place) {
        const Route* route = route_at(place);
        return route == nullptr ||
               (route->to() != origin &&
                std::ranges::find(routed, place, &RoutedMember::place) != routed.end());
    };
    const size_t count = size();
    const size_t first = lasting->turn.fetch_add(1, std::memory_order_relaxed) % count;
    if (routes.empty() && is_ready(first)) return first;  // mostly
    size_t best = kNobody;
    bool best_is_busy = false;
    size_t asked = 0;
    for (size_t i = 0; i < count && asked < kMostAsked; ++i) {
        const size_t place = first + i < count ? first + i : first + i - count;
        if (!routes.empty() && !is_candidate(place)) continue;
        ++asked;
        if (best == kNobody) best = place;
        const auto readiness = readiness_at(place);
        if (readiness == MemberState::ready) return place;
        if (readiness == MemberState::busy && !best_is_busy) {
            best = place;
            best_is_busy = true;
        }
    }
    return best;
}

const SharedGroup::Client* SharedGroup::client_at(size_t place, uint64_t member) const {
    if (place >= clients.size()) return nullptr;
    const Client& client = clients[place];
    return client.state->number == member ? &client : nullptr;
}

}  // namespace trestle
