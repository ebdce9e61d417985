// Operations in and messages out, without any connection.
#include <gtest/gtest.h>

#include <sstream>

#include "core/properties.h"
#include "core/utf8.h"
#include "websocket/json/frames_out.h"
#include "websocket/json/operation.h"

namespace trestle::websocket::json {
namespace {

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

// The answer to what is JSON carries its id, wherever it stands and whatever else is wrong.
TEST(Operation, AFaultDoesNotHideTheId) {
    const std::string deep = std::string(100, '[') + std::string(100, ']');
    std::string many;
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":0,";
    const std::string frames[] = {
        R"({"op":"ping","op":"ping","id":7})",
        R"({"op":"ping","id":7,"id":8})",
        R"({"op":"ping","op":{"id":8},"x":["id",9],"id":7,"id":10})",
        R"({"op":"publish","topic":"a","payload":)" + deep + R"(,"id":7})",
        "{" + many + R"("op":"ping","id":7})",
    };
    for (const auto& frame : frames) {
        Operation op;
        EXPECT_EQ(read_operation(frame, op).code, Code::bad_request) << frame;
        EXPECT_EQ(op.id, "7") << frame;
    }
}

TEST(Operation, WhatIsNotJsonHasNoId) {
    for (const char* frame : {R"({"op":"ping","id":"\ud83d"})", R"({"op":"ping","id":)",
                              R"({"op":"ping","id":7)", R"({"id":7,"id":7)"}) {
        Operation op;
        EXPECT_EQ(read_operation(frame, op).code, Code::not_json) << frame;
        EXPECT_EQ(op.id, "") << frame;
    }
}

TEST(Operation, NumbersKeepTheirDigits) {
    for (const char* digits : {"-0", "-0.0", "1e400", "-1E-400", "1.50", "123456789012345678901"}) {
        Operation op;
        const std::string number(digits);
        EXPECT_FALSE(read_operation(
            R"({"op":"publish","topic":"a","id":)" + number + R"(,"payload":{"a":)" + number + "}}",
            op));
        EXPECT_EQ(op.id, number);
        EXPECT_EQ(op.payload, R"({"a":)" + number + "}");
    }
}

TEST(Operation, BadPropertiesAreTold) {
    for (const char* properties :
         {R"({"content_type":"a","content_type":"b"})", R"({"content_type":1})",
          R"({"payload_format":2})", R"({"payload_format":1.0})", R"({"message_expiry":-1})",
          R"({"message_expiry":4294967296})", R"({"correlation_data":"?"})",
          R"({"user_properties":[["a","b"],["a"]]})", R"({"user_properties":[["a",1e400]]})",
          R"({"user_properties":"a"})", R"({"response_topic":"+"})", "[]", "null"}) {
        Operation op;
        const std::string frame =
            R"({"op":"publish","id":1,"topic":"a","properties":)" + std::string(properties) + "}";
        EXPECT_EQ(read_operation(frame, op).code, Code::bad_request) << frame;
        EXPECT_EQ(op.id, "1");
    }
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
