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
}

SubscriptionLimits subscription_limits(const Settings& settings) {
    SubscriptionLimits limits;
    limits.max_subscriptions = static_cast<size_t>(settings.integer("max_subscriptions"));
    limits.max_shared = static_cast<size_t>(settings.integer("max_shared_subscriptions"));
    return limits;
}

}  // namespace trestle
