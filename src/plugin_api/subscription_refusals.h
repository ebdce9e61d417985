// What is counted of subscriptions that are refused: one set per endpoint, whatever protocol its
// clients speak.
//
// Made at start; each shard adds to its own cells.
#pragma once

#include <array>

#include "core/subscription_quota.h"
#include "plugin_api/plugin.h"

namespace trestle {

class SubscriptionRefusals {
 public:
    explicit SubscriptionRefusals(const EndpointContext& context);
    void count(ShardIndex shard, SubscriptionRefusal reason, uint64_t n = 1) const {
        counters_[static_cast<size_t>(reason)]->add(shard, n);
    }

 private:
    std::array<Counter*, kSubscriptionRefusals> counters_;
};

}  // namespace trestle
