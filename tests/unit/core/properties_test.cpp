#include "core/properties.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace trestle {
namespace {

using namespace std::string_literals;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs user_properties(const ApplicationProperties& properties) {
    Pairs pairs;
    properties.for_each_user_property(
        [&](std::string_view name, std::string_view value) { pairs.emplace_back(name, value); });
    return pairs;
}

TEST(ApplicationProperties, NothingIsThereWhenEmpty) {
    const ApplicationProperties properties;
    EXPECT_TRUE(properties.empty());
    EXPECT_FALSE(properties.payload_format());
    EXPECT_FALSE(properties.content_type());
    EXPECT_FALSE(properties.response_topic());
    EXPECT_FALSE(properties.correlation_data());
    EXPECT_TRUE(user_properties(properties).empty());
}

TEST(ApplicationProperties, WriterMakesTheBytesOfTheSpecification) {
    std::string bytes;
    ApplicationPropertiesWriter writer(bytes);
    EXPECT_TRUE(writer.user_property("a", "1"));
    EXPECT_TRUE(writer.payload_format(1));
    EXPECT_TRUE(writer.content_type("t"));
    EXPECT_TRUE(writer.response_topic("r"));
    EXPECT_TRUE(writer.correlation_data("\0\xFF"s));
    EXPECT_TRUE(writer.user_property("a", ""));
    EXPECT_EQ(bytes,
              "\x26\0\1a\0\1"
              "1\x01\x01\x03\0\1t\x08\0\1r\x09\0\2\0\xFF\x26\0\1a\0\0"s);
}

TEST(ApplicationProperties, ReaderFindsWhatWasWrittenInAnyOrder) {
    std::string bytes;
    ApplicationPropertiesWriter writer(bytes);
    EXPECT_TRUE(writer.user_property("z", "first"));
    EXPECT_TRUE(writer.correlation_data(std::string(300, '\0')));
    EXPECT_TRUE(writer.response_topic("answers/1"));
    EXPECT_TRUE(writer.user_property("a", "second"));
    EXPECT_TRUE(writer.content_type("application/json"));
    EXPECT_TRUE(writer.payload_format(0));
    EXPECT_TRUE(writer.user_property("z", "third"));
    const ApplicationProperties properties(bytes);
    EXPECT_EQ(properties.payload_format(), 0);
    EXPECT_EQ(properties.content_type(), "application/json");
    EXPECT_EQ(properties.response_topic(), "answers/1");
    EXPECT_EQ(properties.correlation_data(), std::string(300, '\0'));
    const Pairs expected{{"z", "first"}, {"a", "second"}, {"z", "third"}};  // [MQTT-3.3.2-18]
    EXPECT_EQ(user_properties(properties), expected);
}

TEST(ApplicationProperties, WriterRefusesWhatCannotGoOnTheWire) {
    std::string bytes;
    ApplicationPropertiesWriter writer(bytes);
    const std::string too_long(65536, 'x');
    EXPECT_FALSE(writer.payload_format(2));
    EXPECT_FALSE(writer.content_type(too_long));
    EXPECT_FALSE(writer.content_type("\xC0\x80"));
    EXPECT_FALSE(writer.response_topic(""));
    EXPECT_FALSE(writer.response_topic("a/+/b"));
    EXPECT_FALSE(writer.response_topic("a/#"));
    EXPECT_FALSE(writer.response_topic("a\0"s));
    EXPECT_FALSE(writer.correlation_data(too_long));
    EXPECT_FALSE(writer.user_property(too_long, ""));
    EXPECT_FALSE(writer.user_property("", too_long));
    EXPECT_FALSE(writer.user_property("\xFF", ""));
    EXPECT_FALSE(writer.user_property("", "\0"s));
    EXPECT_EQ(bytes, "");
    EXPECT_TRUE(writer.content_type(std::string(65535, 'x')));
    EXPECT_FALSE(writer.content_type("again"));
    EXPECT_EQ(bytes.size(), 3U + 65535U);
}

// Bytes that no writer made: reading stops, and stays inside (the sanitizers watch).
TEST(ApplicationProperties, ReaderNeverLeavesTheBytes) {
    std::string whole;
    ApplicationPropertiesWriter writer(whole);
    EXPECT_TRUE(writer.payload_format(1));
    EXPECT_TRUE(writer.content_type("text/plain"));
    EXPECT_TRUE(writer.user_property("name", "value"));
    EXPECT_TRUE(writer.correlation_data("1234"));
    for (size_t length = 0; length < whole.size(); ++length) {
        const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<long>(length));
        const ApplicationProperties properties({exact.data(), exact.size()});
        EXPECT_FALSE(properties.correlation_data());
        size_t read = 0;
        for (const auto& property : properties)
            read += property.name.size() + property.value.size();
        EXPECT_LE(read, length);
    }
    EXPECT_FALSE(ApplicationProperties("\x02\0\0\0\1\x01\x01"s).payload_format());
}

}  // namespace
}  // namespace trestle
