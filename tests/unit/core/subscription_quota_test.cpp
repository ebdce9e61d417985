// How many subscriptions of which kind and size one client may have.
#include "core/subscription_quota.h"

#include <gtest/gtest.h>

namespace trestle {
namespace {

using Why = SubscriptionRefusal;
constexpr size_t kLevel = SubscriptionQuota::kLevelBytes;

TEST(SubscriptionQuota, AllCountAndWhatIsGivenBackIsThereAgain) {
    const SubscriptionLimits limits{.max_subscriptions = 2};
    SubscriptionQuota quota;
    quota.take("a");
    EXPECT_FALSE(quota.refuses("$share/g/a", limits));
    quota.take("$share/g/a");
    EXPECT_EQ(quota.refuses("b", limits), Why::max_subscriptions);
    quota.give_back("$share/g/a");
    EXPECT_FALSE(quota.refuses("b", limits));
}

TEST(SubscriptionQuota, SharedOnesHaveALimitOfTheirOwn) {
    const SubscriptionLimits limits{.max_shared = 1};
    SubscriptionQuota quota;
    quota.take("a");
    EXPECT_FALSE(quota.refuses("$share/1/a", limits));
    quota.take("$share/1/a");
    EXPECT_EQ(quota.refuses("$share/2/a", limits), Why::max_shared_subscriptions);
    EXPECT_FALSE(quota.refuses("b", limits));
    quota.give_back("a");
    EXPECT_EQ(quota.refuses("$share/2/a", limits), Why::max_shared_subscriptions);
    quota.give_back("$share/1/a");
    EXPECT_FALSE(quota.refuses("$share/2/a", limits));
}

TEST(SubscriptionQuota, EachLevelCountsBesideTheText) {
    const SubscriptionLimits limits{.max_bytes = 3 * kLevel + 4};
    SubscriptionQuota quota;
    EXPECT_FALSE(quota.refuses("//++", limits));
    EXPECT_EQ(quota.refuses("//+++", limits), Why::max_subscription_bytes);
    EXPECT_EQ(quota.refuses("///", limits), Why::max_subscription_bytes);
    quota.take("+/+");
    EXPECT_FALSE(quota.refuses("a", limits));
    EXPECT_EQ(quota.refuses("ab", limits), Why::max_subscription_bytes);
    quota.give_back("+/+");
    EXPECT_FALSE(quota.refuses("//++", limits));
}

}  // namespace
}  // namespace trestle
