// The options of what one client may subscribe to, for every protocol whose clients subscribe.
// Main thread; plain values afterwards.
#pragma once

#include <vector>

#include "core/subscription_quota.h"
#include "plugin_api/options.h"

namespace trestle {

void add_subscription_options(std::vector<Option>& options);
SubscriptionLimits subscription_limits(const Settings& settings);

}  // namespace trestle
