#include "zmq/work/mdp.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "zmq/work/native.h"
#include "zmq/work/packed_frames.h"

namespace trestle::zmq {
namespace {

using Kind = PeerMessage::Kind;
using Views = std::vector<std::string_view>;
using namespace std::string_view_literals;

Kind kind_of(const Views& frames) { return read_mdp(frames).kind; }

TEST(Mdp, WorkersOfBothVersions) {
    EXPECT_EQ(Kind::ready, kind_of({"", "MDPW01", "\x01", "echo"}));
    EXPECT_EQ(Kind::reply, kind_of({"", "MDPW01", "\x03", "tag", "", "body"}));
    EXPECT_EQ(Kind::heartbeat, kind_of({"", "MDPW01", "\x04"}));
    EXPECT_EQ(Kind::disconnect, kind_of({"", "MDPW01", "\x05"}));
    EXPECT_EQ(Kind::ready, kind_of({"MDPW02", "\x01", "echo"}));
    EXPECT_EQ(Kind::partial, kind_of({"MDPW02", "\x03", "tag", "", "body"}));
    EXPECT_EQ(Kind::reply, kind_of({"MDPW02", "\x04", "tag", "", "body"}));
    EXPECT_EQ(Kind::heartbeat, kind_of({"MDPW02", "\x05"}));
    EXPECT_EQ(Kind::disconnect, kind_of({"MDPW02", "\x06"}));
}

TEST(Mdp, RepliesWithAndWithoutABody) {
    const Views with{"", "MDPW01", "\x03", "tag", "", "a", "b"};
    EXPECT_EQ("tag", read_mdp(with).tag);
    EXPECT_EQ(2U, read_mdp(with).body.size());
    const Views without{"", "MDPW01", "\x03", "tag", ""};
    EXPECT_EQ(Kind::reply, read_mdp(without).kind);
    EXPECT_TRUE(read_mdp(without).body.empty());
    EXPECT_EQ(Kind::reply, kind_of({"", "MDPW01", "\x03", "tag"}));
}

// A request that waits keeps them, beside the bytes that its queue counts.
TEST(Mdp, AnEnvelopeIsMadeOfRoutingIds) {
    const std::string longest(255, 'x');
    const std::string too_long(256, 'x');
    EXPECT_EQ(Kind::request, kind_of({longest, "", "MDPC01", "echo", "x"}));
    EXPECT_EQ(Kind::bad, kind_of({too_long, "", "MDPC01", "echo", "x"}));
    EXPECT_EQ(Kind::bad, kind_of({"1234", too_long, "", "MDPC02", "\x01", "echo", "x"}));
    EXPECT_EQ(Kind::bad, kind_of({too_long, "", "MDPW01", "\x04"}));
}

TEST(Mdp, ClientsBehindReqSockets) {
    const Views dealer{"", "MDPC01", "echo", "x"};
    EXPECT_EQ(1U, read_mdp(dealer).envelope.size());
    EXPECT_EQ("echo", read_mdp(dealer).service);
    const Views correlated{"1234", "", "MDPC01", "echo", "x"};
    EXPECT_EQ(Kind::request, read_mdp(correlated).kind);
    EXPECT_EQ(2U, read_mdp(correlated).envelope.size());
    const Views second{"MDPC02", "\x01", "echo", "x"};
    EXPECT_EQ(Kind::request, read_mdp(second).kind);
    EXPECT_EQ(Dialect::mdp2, read_mdp(second).dialect);
}

TEST(Mdp, NonsenseIsBadAndAProbeIsNothing) {
    EXPECT_EQ(Kind::nothing, kind_of({""}));
    for (const Views& frames : std::vector<Views>{{},
                                                  {"x"},
                                                  {"", ""},
                                                  {"", "MDPW03", "\x01", "s"},
                                                  {"", "MDPW01"},
                                                  {"", "MDPW01", "\x01"},
                                                  {"", "MDPW01", "\x01", ""},
                                                  {"", "MDPW01", "\x01", "s", "more"},
                                                  {"", "MDPW01", "\x02", "a", "", "b"},
                                                  {"", "MDPW01", "\x03"},
                                                  {"", "MDPW01", "\x03", "tag", "no gap"},
                                                  {"", "MDPW01", "\x09"},
                                                  {"", "MDPW01", "\x00"sv},
                                                  {"", "MDPC01", "service"},
                                                  {"MDPC02", "\x02", "service", "x"},
                                                  {"MDPC02"}}) {
        EXPECT_EQ(Kind::bad, kind_of(frames)) << testing::PrintToString(frames);
    }
}

TEST(Mdp, TagsAreText) {
    for (const uint64_t tag : {uint64_t{0}, uint64_t{1}, uint64_t{0xfedcba9876543210}}) {
        EXPECT_EQ(tag, read_tag(write_tag(tag)));
    }
    for (const char* text :
         {"", "1", "000000000000000g", "-000000000000001", "00000000000000001"}) {
        EXPECT_FALSE(read_tag(text)) << text;
    }
}

TEST(Mdp, AnswersGoBackTheWayTheRequestCame) {
    FrameList out;
    const ClientAddress req{"id", {"1234", ""}, Dialect::mdp1, "echo"};
    begin_mdp_answer(req, true, out);
    EXPECT_EQ((FrameList{"id", "1234", "", "MDPC01", "echo"}), out);
    const ClientAddress dealer{"id", {}, Dialect::mdp2, "echo"};
    begin_mdp_answer(dealer, false, out);
    EXPECT_EQ((FrameList{"id", "MDPC02", "\x02", "echo"}), out);
}

TEST(PackedFrames, ThereAndBack) {
    const Views frames{"a", "", std::string_view("\0b", 2)};
    const std::string packed = pack_frames(frames);
    Views again;
    unpack_frames(packed, again);
    EXPECT_EQ(frames, again);
    again.clear();
    unpack_frames(std::string_view(packed).substr(0, packed.size() - 1), again);
    EXPECT_EQ(2U, again.size());
}

NativeMessage native(const Views& frames) { return read_native(frames); }

TEST(Native, EachCommand) {
    using Native = NativeMessage::Kind;
    const auto hello = native({"TRW1\x01\0\0\0\x64"sv, "echo"});
    EXPECT_EQ(Native::hello, hello.kind);
    EXPECT_EQ(100U, hello.window);
    EXPECT_EQ("echo", hello.service);
    EXPECT_EQ(1U, hello.bundle);
    const auto several = native({"TRW1\x01\0\0\0\x64\0\0\0\x32"sv, "echo"});
    EXPECT_EQ(Native::hello, several.kind);
    EXPECT_EQ(50U, several.bundle);
    EXPECT_EQ(Native::release, native({"TRW1\x0b\0\0\0\0\0\0\0\x01"sv}).kind);
    const auto acks = native({"TRW1\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"sv});
    ASSERT_EQ(Native::ack, acks.kind);
    ASSERT_EQ(2U, acks.tag_count());
    EXPECT_EQ(2U, acks.tag_at(1));
    const auto nack = native({"TRW1\x06\0\0\0\0\0\0\0\x01\0\0\x03\xe8\x01"sv, "why"});
    ASSERT_EQ(Native::nack, nack.kind);
    EXPECT_EQ(1000U, nack.delay_ms);
    EXPECT_TRUE(nack.for_good);
    EXPECT_EQ(Native::publish, native({"TRW1\x08\0\0\0\0\0\0\0\x05"sv, "t", "", "p"}).kind);
    EXPECT_EQ(Native::heartbeat, native({"TRW1\x09"}).kind);
}

TEST(Native, SeveralJobsInTwoFrames) {
    NativeBundle bundle;
    for (int i = 0; i < 2; ++i) {
        bundle.clear();
        bundle.add(1, 2, Views{"a", "bc"});
        bundle.add(3, 4, Views{""});
    }
    EXPECT_EQ(
        "TRW1\x83\0\0\0\0\0\0\0\x01\0\0\0\x02\0\x02"
        "\0\0\0\0\0\0\0\x03\0\0\0\x04\0\x01"sv,
        bundle.head());
    EXPECT_EQ("\0\0\0\x01\x61\0\0\0\x02\x62\x63\0\0\0\0"sv, bundle.frames());
}

TEST(Native, NonsenseIsBad) {
    using Native = NativeMessage::Kind;
    for (const Views& frames : std::vector<Views>{{},
                                                  {"TRW1"},
                                                  {"TRW2\x09"},
                                                  {"TRW1\x00"sv},
                                                  {"TRW1\x0b"},
                                                  {"TRW1\x0c"},
                                                  {"TRW1\x01\0\0\0\0"sv, "echo"},
                                                  {"TRW1\x01\0\0\0\x01"sv},
                                                  {"TRW1\x03"},
                                                  {"TRW1\x03\x01\x02"},
                                                  {"TRW1\x09", "more"}}) {
        EXPECT_EQ(Native::bad, native(frames).kind) << testing::PrintToString(frames);
    }
}

}  // namespace
}  // namespace trestle::zmq
