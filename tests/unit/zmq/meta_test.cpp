#include "zmq/meta.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/properties.h"

namespace trestle::zmq {
namespace {

TEST(Base64, VectorsOfTheRfc) {
    // RFC 4648 section 10.
    for (const auto& [bytes, text] : {std::pair{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(text, encode_base64(bytes));
        EXPECT_EQ(bytes, decode_base64(text));
    }
    const std::string all = [] {
        std::string s;
        for (int i = 0; i < 256; ++i) s.push_back(static_cast<char>(i));
        return s;
    }();
    EXPECT_EQ(all, decode_base64(encode_base64(all)));
}

TEST(Base64, RefusesWhatIsNone) {
    for (const auto* text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9 ",
                             "Zm9v\n", "-_-_", "=Zg="}) {
        EXPECT_FALSE(decode_base64(text)) << text;
    }
}

std::string some_properties() {
    std::string bytes;
    ApplicationPropertiesWriter writer(bytes);
    EXPECT_TRUE(writer.payload_format(1));
    EXPECT_TRUE(writer.content_type("text/plain"));
    EXPECT_TRUE(writer.response_topic("answers/1"));
    EXPECT_TRUE(writer.correlation_data(std::string_view("\0\xff", 2)));
    EXPECT_TRUE(writer.user_property("b", "1"));
    EXPECT_TRUE(writer.user_property("a", "2"));
    EXPECT_TRUE(writer.user_property("b", "\"3\""));
    return bytes;
}

MessageView plain_message() {
    MessageView message;
    message.topic = "t/1";
    return message;
}

TEST(Meta, APlainMessageHasOnlyWhatEveryMessageHas) {
    EXPECT_EQ(R"({"topic":"t/1","qos":0,"retain":false,"time":1700000000000})",
              write_meta({plain_message(), Qos::at_most_once, "", "", 1'700'000'000'000, 5}));
}

TEST(Meta, AJobSaysWhichOneItIs) {
    OutgoingMeta meta{plain_message(), Qos::at_most_once, "", "", 1, 1};
    meta.id = "f00";
    meta.attempt = 2;
    EXPECT_EQ(R"({"id":"f00","attempt":2,"topic":"t/1","qos":0,"retain":false,"time":1})",
              write_meta(meta));
}

TEST(Meta, EverythingIsWrittenAndReadBack) {
    const std::string properties = some_properties();
    MessageView message = plain_message();
    message.properties = properties;
    message.retain = true;
    message.expires_at_ms = 10'001;
    const std::string json = write_meta({message, Qos::exactly_once, "dev", "ann", 42, 5000});
    EXPECT_EQ(R"({"topic":"t/1","qos":2,"retain":true,"client":"dev","user":"ann","time":42,)"
              R"("expiry_s":6,)"
              R"("payload_format":1,"content_type":"text/plain","response_topic":"answers/1",)"
              R"("correlation_data":"AP8=","properties":[["b","1"],["a","2"],["b","\"3\""]]})",
              json);
    const auto meta = read_meta(json);
    ASSERT_TRUE(meta);
    EXPECT_EQ(Qos::exactly_once, meta->qos);
    EXPECT_EQ(true, meta->retain);
    EXPECT_EQ(6U, meta->expiry_s);
    message.properties = meta->properties;  // in another order, but for the user's
    const std::string again = write_meta({message, Qos::exactly_once, "dev", "ann", 42, 5000});
    EXPECT_EQ(nlohmann::json::parse(json), nlohmann::json::parse(again));
}

TEST(Meta, AnExpiredMessageHasNoTimeLeft) {
    MessageView message = plain_message();
    message.expires_at_ms = 10;
    EXPECT_NE(std::string::npos,
              write_meta({message, Qos::at_most_once, "", "", 1, 5000}).find("\"expiry_s\":0"));
}

TEST(Meta, BytesThatAreNoTextDoNotThrow) {
    EXPECT_NE("", write_meta({plain_message(), Qos::at_most_once, "\xff\xfe", "", 1, 1}));
}

TEST(Meta, EveryKeyMayBeAbsent) {
    const auto meta = read_meta("{}");
    ASSERT_TRUE(meta);
    EXPECT_FALSE(meta->qos);
    EXPECT_FALSE(meta->retain);
    EXPECT_FALSE(meta->expiry_s);
    EXPECT_EQ("", meta->properties);
    EXPECT_TRUE(read_meta(R"({"topic":7,"client":null,"time":"now","color":{"a":[1]}})"))
        << "what is ignored may be anything";
}

TEST(Meta, MalformedIsRefused) {
    for (const auto* json : {"",
                             "[]",
                             "7",
                             "null",
                             "\"x\"",
                             "{",
                             "{}x",
                             R"({"qos":3})",
                             R"({"qos":-1})",
                             R"({"qos":1.0})",
                             R"({"qos":"1"})",
                             R"({"qos":true})",
                             R"({"retain":1})",
                             R"({"expiry_s":-1})",
                             R"({"expiry_s":4294967296})",
                             R"({"expiry_s":"5"})",
                             R"({"payload_format":2})",
                             R"({"content_type":5})",
                             R"({"content_type":"a\u0000b"})",
                             R"({"response_topic":"a/+"})",
                             R"({"response_topic":""})",
                             R"({"response_topic":"a/#"})",
                             R"({"correlation_data":"?"})",
                             R"({"correlation_data":[1]})",
                             R"({"properties":{}})",
                             R"({"properties":[["a"]]})",
                             R"({"properties":[["a","b","c"]]})",
                             R"({"properties":[["a",1]]})",
                             R"({"properties":["ab"]})",
                             R"({"properties":[["a\u0000","b"]]})",
                             "{\"content_type\":\"\xff\"}"}) {
        EXPECT_FALSE(read_meta(json)) << json;
    }
}

TEST(Meta, TooLongForMqttIsRefused) {
    const std::string text(65'536, 'x');
    EXPECT_FALSE(read_meta(R"({"content_type":")" + text + "\"}"));
    EXPECT_FALSE(read_meta(R"({"properties":[["a",")" + text + "\"]]}"));
    EXPECT_FALSE(read_meta(R"({"x":")" + std::string(kLargestMeta, 'x') + "\"}"));
    const std::string deep(100'000, '[');
    EXPECT_FALSE(read_meta(deep));
    EXPECT_TRUE(read_meta("{\"x\":" + deep + std::string(100'000, ']') + "}"));
}

}  // namespace
}  // namespace trestle::zmq
