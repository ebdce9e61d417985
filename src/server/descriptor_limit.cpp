#include "server/descriptor_limit.h"

#include <fmt/format.h>

#include "plugin_api/net.h"
#include "server/config.h"

namespace trestle {

std::string too_few_descriptors(const Config& config) {
    size_t promised = 0;
    for (const auto& endpoint : config.endpoints) {
        if (!endpoint.settings.given("max_connections")) continue;
        promised += static_cast<size_t>(endpoint.settings.integer("max_connections"));
    }
    const size_t most = descriptors_for_clients();
    if (promised <= most) return {};
    return fmt::format(
        "max_connections of the endpoints is {} in all, but there are descriptors for {} at most "
        "(a higher limit: LimitNOFILE of systemd, ulimit -n)",
        promised, most);
}

}  // namespace trestle
