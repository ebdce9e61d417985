#include "plugin_api/subscription_options.h"

namespace trestle {

void add_subscription_options(std::vector<Option>& options) {
    options.push_back(Option::integer("max_subscriptions", "Subscriptions of one client")
                          .between(1, 10'000'000)
                          .fallback(100'000));
    options.push_back(
        Option::integer("max_shared_subscriptions",
                        "Shared subscriptions of one client; they count in max_subscriptions too")
            .between(1, 10'000'000)
            .fallback(1000));
    options.push_back(
        Option::integer("max_subscription_bytes",
                        "Bytes that the filters of one client take; each of their levels counts "
                        "160 beside its text")
            .between(1024, 1e12)
            .fallback(int64_t{64} << 20));
}

SubscriptionLimits subscription_limits(const Settings& settings) {
    SubscriptionLimits limits;
    limits.max_subscriptions = static_cast<size_t>(settings.integer("max_subscriptions"));
    limits.max_shared = static_cast<size_t>(settings.integer("max_shared_subscriptions"));
    limits.max_bytes = static_cast<size_t>(settings.integer("max_subscription_bytes"));
    return limits;
}

}  // namespace trestle
