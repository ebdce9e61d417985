#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace trestle {
namespace {

using namespace std::string_literals;

TEST(Utf8, AcceptsWellFormedText) {
    for (const auto* text :
         {"", "a", "1234567", "12345678", "123456789", "sensors/berlin/1/temperature",
          "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x9A\x82 train", "\xC2\x80", "\xDF\xBF",
          "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80",
          "\xF4\x8F\xBF\xBF", "\xEF\xBB\xBF[MQTT-1.5.4-3] keeps the byte order mark"}) {
        EXPECT_TRUE(is_valid_mqtt_utf8(text)) << text;
        EXPECT_TRUE(is_plain_utf8(text)) << text;
    }
}

TEST(Utf8, RefusesIllFormedText) {
    for (const auto* text :
         {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2 ", "\xE0\x9F\xBF", "\xE2\x82",
          "\xE2\x82 ", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x9A",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xFE"}) {
        EXPECT_FALSE(is_valid_mqtt_utf8(text)) << text;
        EXPECT_FALSE(is_plain_utf8(text)) << text;
    }
}

// The fast path looks at eight bytes: a fault must be found at every place of texts of every
// length.
TEST(Utf8, FindsAFaultAtEveryPlace) {
    for (size_t length = 1; length < 40; ++length) {
        for (size_t place = 0; place < length; ++place) {
            std::string text(length, 'x');
            EXPECT_TRUE(is_valid_mqtt_utf8(text));
            text[place] = '\0';
            EXPECT_FALSE(is_valid_mqtt_utf8(text)) << length << " " << place;
            EXPECT_TRUE(is_plain_utf8(text));
            text[place] = '\x80';
            EXPECT_FALSE(is_valid_mqtt_utf8(text)) << length << " " << place;
            EXPECT_FALSE(is_plain_utf8(text));
            text[place] = '\xC3';  // a lead whose second byte is missing or ASCII
            EXPECT_FALSE(is_valid_mqtt_utf8(text)) << length << " " << place;
            if (place + 1 < length) {
                text[place + 1] = '\xA9';
                EXPECT_TRUE(is_valid_mqtt_utf8(text)) << length << " " << place;
            }
        }
    }
}

/// Every code point, encoded by hand: all are accepted but U+0000 and the surrogates.
TEST(Utf8, KnowsEveryCodePoint) {
    for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
        std::string text = "padding";
        const auto tail = [&](unsigned shift) {
            text += static_cast<char>(0x80 | (c >> shift & 0x3F));
        };
        if (c < 0x80) {
            text += static_cast<char>(c);
        } else if (c < 0x800) {
            text += static_cast<char>(0xC0 | c >> 6);
            tail(0);
        } else if (c < 0x10000) {
            text += static_cast<char>(0xE0 | c >> 12);
            tail(6);
            tail(0);
        } else {
            text += static_cast<char>(0xF0 | c >> 18);
            tail(12);
            tail(6);
            tail(0);
        }
        const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        ASSERT_EQ(is_valid_mqtt_utf8(text), c != 0 && !surrogate) << c;
        ASSERT_EQ(is_plain_utf8(text), !surrogate) << c;
    }
}

// At each place where a text can be cut: what came before is known to be good, or to be beyond
// repair.
TEST(Utf8, TheBeginningOfATextIsJudged) {
    const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x9A\x82z";
    const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t i = 0; i <= text.size(); ++i) {
        EXPECT_EQ(whole_utf8(std::string_view(text).substr(0, i)), whole[i]) << i;
    }
    for (const auto* bad :
         {"\xFF", "x\xC0", "\x80", "\xED\xA0", "\xF4\x90", "\xE2\x28", "\xF0\x80", "\xC3\xA9\xA9",
          "\xFF"
          "abc",
          "\xF5", "\xE0\x9F"}) {
        EXPECT_EQ(whole_utf8(bad), std::nullopt) << bad;
    }
}

TEST(Utf8, ZeroIsPlainButNotMqtt) {
    EXPECT_FALSE(is_valid_mqtt_utf8("\0"s));
    EXPECT_TRUE(is_plain_utf8("\0"s));
}

}  // namespace
}  // namespace trestle
