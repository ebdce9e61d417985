// The members of a JSON object, and what is JSON at all.
#include <gtest/gtest.h>

#include <string>

#include "websocket/json/members.h"

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

// RFC 8259 to the letter.
TEST(Members, WhatIsJson) {
    for (const char* value :
         {"0", "-0", "10", "0.5", "-1.5e+3", "1E400", "1e-400", "true", "false", "null", "[]",
          "[ ]", "{}", "[1,[2,{\"a\":[]}]]", "\"\"", "\t\n\r 1 ", R"("\"\\\/\b\f\n\r\t")",
          R"("\u0000\u00e9\uD83D\uDE00\uFFFF")", "\"\x7f\""}) {
        EXPECT_EQ(read_members("{\"a\":" + std::string(value) + "}").status, Status::good) << value;
    }
}

void expect_not_json(std::initializer_list<std::string_view> values) {
    for (const auto value : values) {
        EXPECT_EQ(read_members("{\"a\":" + std::string(value) + "}").status, Status::not_json)
            << value;
    }
}

TEST(Members, WhatIsNotJson) {
    using namespace std::string_view_literals;
    expect_not_json({"01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "--1", "1 2"});
    expect_not_json({"NaN", "Infinity", "tru", "truex", "True", "nul", "1 /* c */", "'a'"});
    expect_not_json({"", "[1,]", "[,1]", "[1", "[1}", "{]", "{,}"});
    expect_not_json({R"({"a"})", R"({"a":})", R"({"a":1,})", R"({"a" 1})", "{a:1}", "{1:1}"});
    expect_not_json({R"("a)", R"("a"b)", R"("a""b")", "\"\t\"", R"("\x")", R"("\)"});
    expect_not_json({R"("\u12")", R"("\u12g4")", R"("\u+123")", R"("\ud83d")", R"("\ud83dx")",
                     R"("\ud83d\u0041")", R"("\ude00")"});
    expect_not_json({"\0"sv, "1\0"sv, "\"\0\""sv, "\f1", "1\xc2\xa0", "1\xef\xbb\xbf"});
    for (const auto whole : {"{}\0{"sv, "{}\0"sv, "\0{}"sv, "\xef\xbb\xbf{}"sv, "{} {}"sv, "{}}"sv,
                             "}"sv, "{"sv, " "sv, "[{]"sv, "\"a\" 1"sv}) {
        EXPECT_EQ(read_members(whole).status, Status::not_json) << whole;
    }
}

TEST(Members, EscapesAreUnderstood) {
    using namespace std::string_view_literals;
    const auto members = read_members(
        R"({"s":"\"\\\/\b\f\n\r\t\u0000\u007f\u0080\u07FF\u0800\uffff\uD800\uDC00\udbff\udfff"})");
    ASSERT_EQ(members.status, Status::good);
    EXPECT_EQ(members.find("s")->text,
              "\"\\/\b\f\n\r\t\0\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80"
              "\xf4\x8f\xbf\xbf"sv);
}

// Also of an object with too many members, or one that is nested too deeply, or no object at all.
TEST(Members, WhatIsNotJsonIsThatFirst) {
    const std::string deep(kDeepest + 1, '[');
    EXPECT_EQ(read_members("{\"a\":" + deep).status, Status::not_json);
    EXPECT_EQ(read_members("{\"a\":1,\"a\":2,}").status, Status::not_json);
    EXPECT_EQ(read_members("[1").status, Status::not_json);
    EXPECT_EQ(read_members("7").status, Status::not_an_object);
}

TEST(Members, TheIdIsKeptBehindAFault) {
    const auto members = read_members(R"({"a":1,"a":2,"b":3,"id":{"z":[4]},"id":5})");
    EXPECT_EQ(members.status, Status::twice);
    ASSERT_EQ(members.all.size(), 2u);
    EXPECT_EQ(members.find("a")->text, "1");
    EXPECT_EQ(members.find("id")->text, R"({"z":[4]})");
}

}  // namespace
}  // namespace trestle::websocket::json
