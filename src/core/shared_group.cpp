#include "core/shared_group.h"

#include <algorithm>

namespace trestle {

size_t SharedGroup::choose(std::span<const RoutedMember> routed, EndpointId origin) const {
    constexpr size_t kMostAsked = 64;  // a large group at a standstill must not cost every message
    const auto is_candidate = [&](size_t place) {
        const RoutePtr& route = members[place].route;
        return !route || (route->to() != origin &&
                          std::ranges::find(routed, place, &RoutedMember::place) != routed.end());
    };
    const size_t count = members.size();
    const size_t first = turn->fetch_add(1, std::memory_order_relaxed) % count;
    size_t best = kNobody;
    bool best_is_busy = false;
    size_t asked = 0;
    for (size_t i = 0; i < count && asked < kMostAsked; ++i) {
        const size_t place = first + i < count ? first + i : first + i - count;
        if (routes != 0 && !is_candidate(place)) continue;
        ++asked;
        if (best == kNobody) best = place;
        const auto readiness = members[place].state->readiness.load(std::memory_order_relaxed);
        if (readiness == MemberState::ready) return place;
        if (readiness == MemberState::busy && !best_is_busy) {
            best = place;
            best_is_busy = true;
        }
    }
    return best;
}

const SharedGroup::Member* SharedGroup::find(uint64_t member, size_t guess) const {
    if (guess < members.size() && members[guess].state->number == member) return &members[guess];
    const auto found =
        std::ranges::find_if(members, [&](const Member& m) { return m.state->number == member; });
    return found == members.end() ? nullptr : &*found;
}

}  // namespace trestle
