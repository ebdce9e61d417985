// A kept message: one block, its own bytes, shared by counting.
#include "core/message.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace trestle {
namespace {

TEST(Message, OwnsACopyOfEverything) {
    std::string topic = "a/b";
    std::string payload("pay\0load", 8);
    std::string properties = "\x01\x01";
    MessageView view;
    view.topic = topic;
    view.payload = payload;
    view.properties = properties;
    view.expires_at_ms = 77;
    view.origin = 3;
    view.hops = 2;
    view.qos = Qos::exactly_once;
    view.retain = true;
    EXPECT_EQ(view.size(), 13u);
    const MessagePtr kept = Message::copy_of(view);
    topic = payload = properties = "overwritten";
    EXPECT_EQ(kept->view().topic, "a/b");
    EXPECT_EQ(kept->view().payload, std::string_view("pay\0load", 8));
    EXPECT_EQ(kept->view().properties, "\x01\x01");
    EXPECT_EQ(kept->view().expires_at_ms, 77u);
    EXPECT_EQ(kept->view().origin, 3);
    EXPECT_EQ(kept->view().hops, 2);
    EXPECT_EQ(kept->view().qos, Qos::exactly_once);
    EXPECT_TRUE(kept->view().retain);
}

TEST(Message, LiesInOneBlock) {
    MessageView view;
    view.topic = "topic";
    view.payload = "payload";
    view.properties = "props";
    const MessagePtr kept = Message::copy_of(view);
    const auto* bytes = reinterpret_cast<const char*>(kept.get()) + sizeof(Message);
    const auto inside = [&](std::string_view part) {
        return part.data() >= bytes && part.data() + part.size() <= bytes + view.size();
    };
    EXPECT_TRUE(inside(kept->view().topic));
    EXPECT_TRUE(inside(kept->view().payload));
    EXPECT_TRUE(inside(kept->view().properties));
}

TEST(Message, PartsMayBeEmpty) {
    MessageView view;
    view.topic = "t";
    const MessagePtr only_topic = Message::copy_of(view);
    EXPECT_EQ(only_topic->view().topic, "t");
    EXPECT_TRUE(only_topic->view().payload.empty());
    EXPECT_TRUE(only_topic->view().properties.empty());
    EXPECT_EQ(only_topic->view().expires_at_ms, kNeverExpires);
    const MessagePtr nothing = Message::copy_of(MessageView{});
    EXPECT_EQ(nothing->view().size(), 0u);
    const MessagePtr copy_of_copy = Message::copy_of(only_topic->view());
    EXPECT_EQ(copy_of_copy->view().topic, "t");
    EXPECT_NE(copy_of_copy->view().topic.data(), only_topic->view().topic.data());
}

// Freed exactly once, wherever the last reference goes (the sanitizers watch).
TEST(Message, IsReadAndDroppedFromAnyThread) {
    for (int round = 0; round < 50; ++round) {
        MessageView view;
        view.topic = "shared";
        MessagePtr kept = Message::copy_of(view);
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([mine = kept] {
                for (int n = 0; n < 100; ++n) {
                    const MessagePtr again = mine;
                    ASSERT_EQ(again->view().topic, "shared");
                }
            });
        }
        kept = nullptr;
        for (auto& thread : threads) thread.join();
    }
}

}  // namespace
}  // namespace trestle
