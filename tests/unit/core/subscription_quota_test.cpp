// How many subscriptions of which kind one client may have.
#include "core/subscription_quota.h"

#include <gtest/gtest.h>

namespace trestle {
namespace {

TEST(SubscriptionQuota, AllCountAndWhatIsGivenBackIsThereAgain) {
    const SubscriptionLimits limits{.max_subscriptions = 2};
    SubscriptionQuota quota;
    quota.take("a");
    EXPECT_TRUE(quota.has_room("$share/g/a", limits));
    quota.take("$share/g/a");
    EXPECT_FALSE(quota.has_room("b", limits));
    quota.give_back("$share/g/a");
    EXPECT_TRUE(quota.has_room("b", limits));
}

TEST(SubscriptionQuota, SharedOnesHaveALimitOfTheirOwn) {
    const SubscriptionLimits limits{.max_shared = 1};
    SubscriptionQuota quota;
    quota.take("a");
    EXPECT_TRUE(quota.has_room("$share/1/a", limits));
    quota.take("$share/1/a");
    EXPECT_FALSE(quota.has_room("$share/2/a", limits));
    EXPECT_TRUE(quota.has_room("b", limits));
    quota.give_back("a");
    EXPECT_FALSE(quota.has_room("$share/2/a", limits));
    quota.give_back("$share/1/a");
    EXPECT_TRUE(quota.has_room("$share/2/a", limits));
}

}  // namespace
}  // namespace trestle
