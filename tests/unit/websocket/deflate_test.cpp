// What offers of compression are accepted, and with what (RFC 7692 section 7.1).
#include "websocket/deflate.h"

#include <gtest/gtest.h>

namespace trestle::websocket {
namespace {

int window(std::string_view offer) { return agree_on_deflate({offer}).window_bits; }

TEST(Deflate, OffersThatAreAccepted) {
    EXPECT_EQ(window("permessage-deflate"), 15);
    EXPECT_EQ(window("permessage-deflate; client_max_window_bits"), 15);
    EXPECT_EQ(window("permessage-deflate; client_max_window_bits=8"), 15);
    EXPECT_EQ(window("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
              15);
    EXPECT_EQ(window("permessage-deflate; server_max_window_bits=10"), 10);
    EXPECT_EQ(window("permessage-deflate; server_max_window_bits=\"9\""), 9);
    EXPECT_EQ(window("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=12"), 12);
    EXPECT_EQ(window("permessage-deflate; server_max_window_bits=8, permessage-deflate"), 15);
    EXPECT_EQ(agree_on_deflate({"foo", "permessage-deflate"}).window_bits, 15);
}

TEST(Deflate, OffersThatAreDeclined) {
    for (const char* offer :
         {"", "permessage-bzip2", "permessage-deflate; server_max_window_bits",
          "permessage-deflate; server_max_window_bits=8",
          "permessage-deflate; server_max_window_bits=16",
          "permessage-deflate; server_max_window_bits=010",
          "permessage-deflate; client_max_window_bits=7", "permessage-deflate; unknown",
          "permessage-deflate; server_no_context_takeover=1",
          "permessage-deflate; client_max_window_bits; client_max_window_bits"}) {
        EXPECT_EQ(window(offer), 0) << offer;
    }
}

TEST(Deflate, TheAnswerSaysWhatIsUsed) {
    EXPECT_EQ(agree_on_deflate({"permessage-deflate"}).answer,
              "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    EXPECT_EQ(agree_on_deflate({"permessage-deflate; server_max_window_bits=11"}).answer,
              "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
              "server_max_window_bits=11");
    EXPECT_EQ(agree_on_deflate({"permessage-deflate; server_max_window_bits=15"}).answer,
              "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
              "server_max_window_bits=15");
}

TEST(Deflate, ThereAndBack) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919);
    for (const int bits : {9, 12, 15}) {
        for (const std::string& one : {std::string(), std::string("x"), text}) {
            const std::string small(deflate_message(one, bits));
            OutBuffer out;
            EXPECT_EQ(inflate_message(small, text.size(), out), Inflated::good);
            EXPECT_EQ(out.view(), one);
        }
    }
}

TEST(Deflate, ABlockMarkedAsTheLastOneIsFine) {
    // "Hello" in one block with BFINAL set (section 7.2.3.4).
    OutBuffer out;
    EXPECT_EQ(inflate_message(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8), 100, out),
              Inflated::good);
    EXPECT_EQ(out.view(), "Hello");
}

TEST(Deflate, ABombIsStopped) {
    const std::string small(deflate_message(std::string(50'000'000, '\0'), 15));
    OutBuffer out;
    EXPECT_EQ(inflate_message(small, 1'000'000, out), Inflated::too_large);
    EXPECT_LT(out.capacity(), 3'000'000u);
}

}  // namespace
}  // namespace trestle::websocket
