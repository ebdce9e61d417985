#include "core/subscription_quota.h"

#include "core/topic.h"

namespace trestle {

bool SubscriptionQuota::has_room(std::string_view filter, const SubscriptionLimits& limits) const {
    return all_ < limits.max_subscriptions && (shared_ < limits.max_shared || !is_shared(filter));
}

void SubscriptionQuota::take(std::string_view filter) {
    ++all_;
    if (is_shared(filter)) ++shared_;
}

void SubscriptionQuota::give_back(std::string_view filter) {
    --all_;
    if (is_shared(filter)) --shared_;
}

}  // namespace trestle
