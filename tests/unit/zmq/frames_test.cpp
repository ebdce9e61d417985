#include "zmq/frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace trestle::zmq {
namespace {

using Views = std::vector<std::string_view>;

Views sent_frames(const FrameFormat& format, std::string& joined) {
    const auto out = make_frames(format, "key", "{}", "payload");
    if (!out.is_joined) return {out.parts.begin(), out.parts.begin() + out.count};
    for (const auto part : out.parts) joined += part;
    return {joined};
}

TEST(Frames, OutgoingOfEachFormat) {
    std::string joined;
    EXPECT_EQ((Views{"key", "payload"}), sent_frames({Format::topic_payload, " "}, joined));
    EXPECT_EQ((Views{"key, payload"}), sent_frames({Format::single, ", "}, joined));
    EXPECT_EQ((Views{"payload"}), sent_frames({Format::payload, " "}, joined));
    EXPECT_EQ((Views{"key", "{}", "payload"}), sent_frames({Format::full, " "}, joined));
    EXPECT_EQ(12U, make_frames({Format::single, ", "}, "key", "{}", "payload").size());
}

TEST(Frames, TheSequenceStandsBeforeThePayload) {
    FrameFormat format;
    format.has_sequence = true;
    const auto out = make_frames(format, "key", "12345678abcdefgh", "payload");
    EXPECT_EQ((Views{"key", "12345678abcdefgh", "payload"}),
              Views(out.parts.begin(), out.parts.begin() + out.count));
}

TEST(Frames, TerminatedKeys) {
    FrameFormat format;
    format.has_terminator = true;
    const std::string key("key\0", 4);
    EXPECT_EQ("key", split_frames(format, Views{key, "payload"})->key);
    EXPECT_FALSE(split_frames(format, Views{"key", "payload"}));
    EXPECT_FALSE(split_frames(format, Views{"", "payload"}));
    EXPECT_FALSE(split_frames(format, Views{key}));
}

TEST(Frames, WhatIsSentIsReadBack) {
    for (const auto format :
         {Format::topic_payload, Format::single, Format::payload, Format::full}) {
        const FrameFormat how{format, "::"};
        std::string joined;
        const auto in = split_frames(how, sent_frames(how, joined));
        ASSERT_TRUE(in);
        EXPECT_EQ("payload", in->payload);
        EXPECT_EQ(format == Format::payload ? "" : "key", in->key);
        EXPECT_EQ(format == Format::full ? "{}" : "", in->meta);
    }
}

TEST(Frames, TheFirstSeparatorCounts) {
    const auto in = split_frames({Format::single, " "}, Views{"a b c "});
    ASSERT_TRUE(in);
    EXPECT_EQ("a", in->key);
    EXPECT_EQ("b c ", in->payload);
}

TEST(Frames, EmptyPartsAreParts) {
    const auto two = split_frames({Format::topic_payload, " "}, Views{"", ""});
    ASSERT_TRUE(two);
    EXPECT_EQ("", two->key);
    const auto one = split_frames({Format::single, " "}, Views{" "});
    ASSERT_TRUE(one);
    EXPECT_EQ("", one->key);
    EXPECT_EQ("", one->payload);
    EXPECT_TRUE(split_frames({Format::payload, " "}, Views{""}));
}

TEST(Frames, WrongNumbersOfFramesAreRefused) {
    for (const auto format :
         {Format::topic_payload, Format::single, Format::payload, Format::full}) {
        for (size_t count = 0; count <= kMostFrames + 1; ++count) {
            const size_t right = format == Format::topic_payload ? 2
                                 : format == Format::full        ? 3
                                                                 : 1;
            const Views frames(count, "a b");
            EXPECT_EQ(count == right, split_frames({format, " "}, frames).has_value());
        }
    }
    EXPECT_FALSE(split_frames({Format::single, "::"}, Views{"a:b"}));
    EXPECT_FALSE(split_frames({Format::single, " "}, Views{""}));
}

}  // namespace
}  // namespace trestle::zmq
