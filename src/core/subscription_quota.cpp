#include "core/subscription_quota.h"

#include "core/topic.h"

namespace trestle {

namespace {

size_t bytes_of(std::string_view filter) {
    return filter.size() + topic_levels(filter) * SubscriptionQuota::kLevelBytes;
}

}  // namespace

std::optional<SubscriptionRefusal> SubscriptionQuota::refuses(
    std::string_view filter, const SubscriptionLimits& limits) const {
    if (all_ >= limits.max_subscriptions) return SubscriptionRefusal::max_subscriptions;
    if (shared_ >= limits.max_shared && is_shared(filter)) {
        return SubscriptionRefusal::max_shared_subscriptions;
    }
    if (bytes_ + bytes_of(filter) > limits.max_bytes) {
        return SubscriptionRefusal::max_subscription_bytes;
    }
    return {};
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
