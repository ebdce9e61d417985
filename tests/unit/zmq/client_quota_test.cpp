#include "zmq/client_quota.h"

#include <gtest/gtest.h>

#include <vector>

namespace trestle::zmq {
namespace {

TEST(ClientQuota, NobodyTakesMoreThanItsShare) {
    ClientQuota quota({3, SIZE_MAX}, {2, SIZE_MAX});
    std::vector<ClientQuota::Place> places{quota.take(1), quota.take(1)};
    EXPECT_FALSE(quota.take(1));
    EXPECT_TRUE(quota.has_room(2));
    places.push_back(quota.take(2));
    EXPECT_TRUE(places.back());
    EXPECT_FALSE(quota.take(3)) << "all places are taken";
    places.erase(places.begin());
    EXPECT_TRUE(quota.has_room(1) && quota.has_room(3));
}

TEST(ClientQuota, BytesCountToo) {
    ClientQuota quota({}, {SIZE_MAX, 100});
    auto place = quota.take(1, 60);
    EXPECT_FALSE(quota.take(1, 41));
    EXPECT_FALSE(quota.take(2, SIZE_MAX));
    EXPECT_TRUE(quota.take(1, 40));
    place.reset();
    EXPECT_TRUE(quota.take(1, 100));
}

TEST(ClientQuota, KnowsWhoHoldsSomething) {
    ClientQuota quota({}, {});
    auto place = quota.take(1);
    auto copy = place;
    place.reset();
    EXPECT_TRUE(quota.holds(1)) << "as long as a copy is there";
    EXPECT_FALSE(quota.holds(2));
    copy.reset();
    EXPECT_FALSE(quota.holds(1));
}

TEST(ClientQuota, APlaceMayOutliveIt) {
    ClientQuota::Place place;
    {
        ClientQuota quota({}, {});
        place = quota.take(1, 10);
    }
    EXPECT_TRUE(place);
    place.reset();
}

}  // namespace
}  // namespace trestle::zmq
