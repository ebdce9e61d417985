// What one shard puts into a hand-over, the other takes out, in order and whole.
#include "core/hand_over.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace trestle {
namespace {

using test::message;

TEST(HandOver, IsEmptyAtFirst) {
    const HandOver none;
    EXPECT_TRUE(none.empty());
    EXPECT_FALSE(HandOver::Reader(none).next());
}

TEST(HandOver, BringsEveryPartOfAMessage) {
    MessageView put = message("a/b", "payload", 2);
    put.properties = "properties";
    put.expires_at_ms = 123'456'789'012;
    put.origin = 7;
    put.hops = 3;
    put.retain = true;
    const SharedTarget target{99, 5, 2, 4, true};
    HandOver over;
    over.put(put, &target);
    over.put(message("", ""), nullptr);

    HandOver::Reader reader(over);
    ASSERT_TRUE(reader.next());
    const MessageView& got = reader.message();
    EXPECT_EQ(got.topic, put.topic);
    EXPECT_EQ(got.payload, put.payload);
    EXPECT_EQ(got.properties, put.properties);
    EXPECT_EQ(got.expires_at_ms, put.expires_at_ms);
    EXPECT_EQ(got.origin, put.origin);
    EXPECT_EQ(got.hops, put.hops);
    EXPECT_EQ(got.qos, put.qos);
    EXPECT_TRUE(got.retain);
    ASSERT_NE(reader.target(), nullptr);
    EXPECT_EQ(reader.target()->member, target.member);
    EXPECT_EQ(reader.target()->group, target.group);
    EXPECT_EQ(reader.target()->place, target.place);
    EXPECT_EQ(reader.target()->group_place, target.group_place);
    EXPECT_TRUE(reader.target()->final);

    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.message().topic, "");
    EXPECT_EQ(reader.message().payload, "");
    EXPECT_EQ(reader.message().properties, "");
    EXPECT_EQ(reader.message().expires_at_ms, kNeverExpires);
    EXPECT_FALSE(reader.message().retain);
    EXPECT_EQ(reader.target(), nullptr);
    EXPECT_FALSE(reader.next());
}

TEST(HandOver, LeavesOutATopicThatIsTheLastOne) {
    const std::string large(200'000, 'x');  // moves the memory in which the last topic lies
    HandOver over;
    for (int round = 0; round < 2; ++round) {
        over.put(message("one", "1"), nullptr);
        const size_t before = over.size();
        over.put(message("one", "2"), nullptr);
        const size_t same = over.size() - before;
        over.put(message("one", large), nullptr);
        over.put(message("two", "3"), nullptr);
        EXPECT_EQ(over.size() - before, 3 * same + large.size() - 1 + 3);
        std::vector<std::string> topics;
        for (HandOver::Reader reader(over); reader.next();) {
            topics.emplace_back(reader.message().topic);
        }
        EXPECT_EQ(topics, (std::vector<std::string>{"one", "one", "one", "two"}));
        over.clear();  // what was last is not remembered
    }
}

}  // namespace
}  // namespace trestle
