// How many subscriptions of which kind and size one client may have.
#include "core/subscription_quota.h"

#include <gtest/gtest.h>

namespace trestle {
namespace {

constexpr size_t kLevel = SubscriptionQuota::kLevelBytes;

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

TEST(SubscriptionQuota, EachLevelCountsBesideTheText) {
    const SubscriptionLimits limits{.max_bytes = 3 * kLevel + 4};
    SubscriptionQuota quota;
    EXPECT_TRUE(quota.has_room("//++", limits));
    EXPECT_FALSE(quota.has_room("//+++", limits));
    EXPECT_FALSE(quota.has_room("///", limits));
    quota.take("+/+");
    EXPECT_TRUE(quota.has_room("a", limits));
    EXPECT_FALSE(quota.has_room("ab", limits));
    quota.give_back("+/+");
    EXPECT_TRUE(quota.has_room("//++", limits));
}

}  // namespace
}  // namespace trestle
