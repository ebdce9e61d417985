#include "plugin_api/subscription_refusals.h"

namespace trestle {

SubscriptionRefusals::SubscriptionRefusals(const EndpointContext& context) : counters_() {
    for (size_t i = 0; i < kSubscriptionRefusals; ++i) {
        counters_[i] = &context.host().metrics().counter(
            "trestle_subscriptions_refused_total", "Subscriptions refused, by reason",
            {{"endpoint", context.name()},
             {"reason", std::string(name_of(static_cast<SubscriptionRefusal>(i)))}});
    }
}

}  // namespace trestle
