#include "mqtt/pauses.h"

#include <algorithm>

namespace trestle::mqtt {

void Pauses::add(std::string_view client_id, uint64_t now_ms) {
    if (clients_.size() >= kMostClients) {
        std::erase_if(clients_, [&](const auto& one) { return one.second.until_ms < now_ms; });
        if (clients_.size() >= kMostClients) return;
    }
    Pause& pause = clients_[std::string(client_id)];
    if (pause.until_ms + kForgottenMs < now_ms) pause.length_ms = 0;
    pause.length_ms = std::clamp(pause.length_ms * 2, kFirstMs, kLongestMs);
    pause.until_ms = now_ms + pause.length_ms;
}

uint64_t Pauses::until(std::string_view client_id) const {
    if (clients_.empty()) return 0;
    const auto found = clients_.find(std::string(client_id));
    return found == clients_.end() ? 0 : found->second.until_ms;
}

}  // namespace trestle::mqtt
