#include "core/subscription_quota.h"

#include "core/topic.h"

namespace trestle {

namespace {

size_t bytes_of(std::string_view filter) {
    return filter.size() + topic_levels(filter) * SubscriptionQuota::kLevelBytes;
}

}  // namespace

bool SubscriptionQuota::has_room(std::string_view filter, const SubscriptionLimits& limits) const {
    return all_ < limits.max_subscriptions && (shared_ < limits.max_shared || !is_shared(filter)) &&
           bytes_ + bytes_of(filter) <= limits.max_bytes;
}

void SubscriptionQuota::take(std::string_view filter) {
    ++all_;
    if (is_shared(filter)) ++shared_;
    bytes_ += bytes_of(filter);
}

void SubscriptionQuota::give_back(std::string_view filter) {
    --all_;
    if (is_shared(filter)) --shared_;
    bytes_ -= bytes_of(filter);
}

}  // namespace trestle
