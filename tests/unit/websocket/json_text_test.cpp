// JSON in and out, without any connection.
#include <gtest/gtest.h>

#include <sstream>

#include "core/properties.h"
#include "core/utf8.h"
#include "websocket/json/frames_out.h"
#include "websocket/json/members.h"
#include "websocket/json/operation.h"

namespace trestle::websocket::json {
namespace {

using Status = Members::Status;

TEST(Members, StringsAsMeantTheRestAsCompactText) {
    const auto members = read_members(
        R"( { "s" : "a\"\u00e9\n", "n" : -1.50e+3, "big":123456789012345678901,
              "o" : { "z" : [ 1 , { } , [ ] , "x\u0001" ] , "a" : null } , "t":true,"e":{} } )");
    ASSERT_EQ(members.status, Status::good);
    ASSERT_EQ(members.all.size(), 6u);
    EXPECT_EQ(members.find("s")->text, "a\"\xc3\xa9\n");
    EXPECT_EQ(members.find("n")->text, "-1.50e+3");
    EXPECT_EQ(members.find("big")->text, "123456789012345678901");
    EXPECT_EQ(members.find("o")->text, R"({"z":[1,{},[],"x\u0001"],"a":null})");
    EXPECT_EQ(members.find("t")->text, "true");
    EXPECT_EQ(members.find("e")->text, "{}");
    EXPECT_EQ(members.find("x"), nullptr);
}

TEST(Members, EveryFaultHasItsName) {
    EXPECT_EQ(read_members("").status, Status::not_json);
    EXPECT_EQ(read_members("{\"a\":1").status, Status::not_json);
    EXPECT_EQ(read_members("{\"a\":1} x").status, Status::not_json);
    EXPECT_EQ(read_members("{\"a\":\"\\ud800\"}").status, Status::not_json);
    EXPECT_EQ(read_members("[{}]").status, Status::not_an_object);
    EXPECT_EQ(read_members("\"x\"").status, Status::not_an_object);
    EXPECT_EQ(read_members("{\"a\":1,\"a\":2}").status, Status::twice);
    const auto nested = [](size_t depth) {
        return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_EQ(read_members(nested(kDeepest - 1)).status, Status::good);
    EXPECT_EQ(read_members(nested(kDeepest)).status, Status::too_deep);
    EXPECT_EQ(read_members(nested(1'000'000)).status, Status::too_deep);
    std::string many = "{\"k\":0";
    for (size_t i = 1; i < kMostMembers; ++i) many += ",\"k" + std::to_string(i) + "\":0";
    EXPECT_EQ(read_members(many + "}").status, Status::good);
    EXPECT_EQ(read_members(many + ",\"one\":0}").status, Status::too_many);
}

// A client fails the connection over text that is not UTF-8.
TEST(Operations, AFaultThatQuotesIsCutBetweenCharacters) {
    for (size_t before = 60; before <= 64; ++before) {
        Operation op;
        const Fault fault = read_operation(R"({"op":"publish","id":1,"topic":"a","properties":{")" +
                                               std::string(before, 'x') +
                                               "\xf0\x9f\x98\x80\xf0\x9f\x98\x80" + R"(":1}})",
                                           op);
        EXPECT_EQ(fault.code, Code::bad_request);
        EXPECT_TRUE(is_plain_utf8(fault.sentence)) << before;
        EXPECT_NE(fault.sentence.find(std::string(before, 'x')), std::string::npos);
    }
}

TEST(Operation, MembersThatItDoesNotKnowAreIgnored) {
    const std::pair<const char*, const char*> rows[] = {
        {R"("op":"ping","id":1)", "qos retain properties timeout_ms delivery no_local topic"},
        {R"("op":"ack","id":1,"delivery":1)", "qos retain properties timeout_ms payload topic"},
        {R"("op":"unsubscribe","id":1,"filter":"a")", "qos retain properties delivery no_local"},
        {R"("op":"subscribe","id":1,"filter":"a")", "retain properties timeout_ms delivery topic"},
        {R"("op":"publish","id":1,"topic":"a")", "timeout_ms delivery no_local subscription_id"},
        {R"("op":"request","id":1,"topic":"a")", "delivery retain_handling filter else"},
    };
    for (const auto& [frame, unknown] : rows) {
        std::istringstream names(unknown);
        for (std::string name; names >> name;) {
            Operation op;
            const std::string text = "{" + std::string(frame) + ",\"" + name + "\":[-1]}";
            EXPECT_FALSE(read_operation(text, op)) << text;
        }
    }
    Operation op;
    EXPECT_EQ(read_operation(R"({"op":"publish","id":1,"topic":"a","qos":[-1]})", op).code,
              Code::bad_request);
}

TEST(FramesOut, AMessageWithEverything) {
    std::string properties;
    ApplicationPropertiesWriter writer(properties);
    ASSERT_TRUE(writer.payload_format(1) && writer.content_type("t") &&
                writer.response_topic("r") && writer.correlation_data("c") &&
                writer.user_property("k", "\"") && writer.user_property("k", "2"));
    MessageView message;
    message.topic = "a/b";
    message.payload = "x";
    message.properties = properties;
    message.expires_at_ms = 4500;  // it has waited half a second, which does not count
    const uint32_t ids[] = {3, 4};
    std::string out;
    append_message(out, {message, Qos::at_least_once, true, 9, 1000, ids});
    EXPECT_EQ(out, R"({"op":"message","topic":"a/b","payload":"x","encoding":"utf8","qos":1,)"
                   R"("retain":true,"properties":{"payload_format":1,"content_type":"t",)"
                   R"("response_topic":"r","correlation_data":"Yw==",)"
                   R"("user_properties":[["k","\""],["k","2"]],"message_expiry":4},)"
                   R"("delivery":9,"subscription_ids":[3,4]})");
}

// As little as it came with: never more [MQTT-3.3.2-6].
TEST(FramesOut, AMessageThatExpiresAtOnce) {
    MessageView message;
    message.topic = "t";
    message.expires_at_ms = 1000;
    std::string out;
    append_message(out, {message, Qos::at_most_once, false, 0, 1000, {}});
    EXPECT_NE(out.find(R"("message_expiry":0})"), out.npos) << out;
}

TEST(FramesOut, Answers) {
    std::string out;
    append_ok(out, "1");
    append_subscribed(out, "\"x\"", Qos::at_least_once);
    append_error(out, "", {Code::not_json, "a \"sentence\""});
    EXPECT_EQ(out, R"({"id":1,"ok":true}{"id":"x","ok":true,"qos":1})"
                   R"({"id":null,"ok":false,"error":{"code":"not_json",)"
                   R"("message":"a \"sentence\""}})");
}

TEST(FramesOut, BytesThatAreNoText) {
    MessageView message;
    message.topic = "t";
    message.payload = "\xff";
    std::string out;
    append_message(out, {message, Qos::at_most_once, false, 0, 0, {}});
    EXPECT_NE(out.find(R"("payload":"/w==","encoding":"base64","qos":0)"), out.npos) << out;
}

}  // namespace
}  // namespace trestle::websocket::json
