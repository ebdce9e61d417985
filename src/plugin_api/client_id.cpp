#include "plugin_api/client_id.h"

#include <random>

namespace trestle {

std::string assign_client_id(Host& host, const Shard& shard, std::string_view prefix) {
    static thread_local std::random_device random;
    for (;;) {
        constexpr char kDigits[] = "0123456789abcdef";
        std::string id(prefix);
        for (int i = 0; i < 4; ++i) {
            for (uint32_t bits = random(), n = 0; n < 6; ++n, bits >>= 4) {
                id.push_back(kDigits[bits & 15]);
            }
        }
        if (&host.home_of(id) == &shard) return id;
    }
}

}  // namespace trestle
