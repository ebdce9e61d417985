// Parts of the MQTT plugin that need no connection: pauses, topic aliases, PROXY headers.
#include <gtest/gtest.h>

#include <string>

#include "mqtt/pauses.h"
#include "mqtt/proxy_protocol.h"
#include "mqtt/topic_aliases.h"

namespace trestle::mqtt {
namespace {

TEST(Pauses, GrowToABoundAndAreForgotten) {
    Pauses pauses;
    EXPECT_EQ(pauses.until("a"), 0u);
    uint64_t now = 1'000'000;
    uint64_t last = 0;
    for (int i = 0; i < 12; ++i) {
        pauses.add("a", now);
        const uint64_t length = pauses.until("a") - now;
        EXPECT_GE(length, last);
        EXPECT_LE(length, Pauses::kLongestMs);
        last = length;
        now += length;
    }
    EXPECT_EQ(last, Pauses::kLongestMs);
    EXPECT_EQ(pauses.until("b"), 0u);
    now += Pauses::kForgottenMs + 1;
    pauses.add("a", now);
    EXPECT_EQ(pauses.until("a"), now + Pauses::kFirstMs);
}

TEST(Pauses, TheTableIsBounded) {
    Pauses pauses;
    for (size_t i = 0; i < Pauses::kMostClients; ++i) pauses.add(std::to_string(i), 10'000);
    pauses.add("one more", 10'000);
    EXPECT_EQ(pauses.until("one more"), 0u);
    pauses.add("later", 10'000 + Pauses::kFirstMs + 1);
    EXPECT_NE(pauses.until("later"), 0u);
}

TEST(TopicAliases, ATopicGetsAFreeOneAtOnceElseWhenItRepeats) {
    TopicAliases aliases(1);
    const auto first = aliases.choose("a/long/topic");
    EXPECT_EQ(first.alias, 1);
    EXPECT_TRUE(first.send_topic);
    // Not written (too large for the client): it still does not know the alias.
    EXPECT_TRUE(aliases.choose("a/long/topic").send_topic);
    aliases.sent(first, "a/long/topic");
    EXPECT_FALSE(aliases.choose("a/long/topic").send_topic);
    EXPECT_EQ(aliases.choose("another/topic").alias, 0);
    EXPECT_FALSE(aliases.choose("a/long/topic").send_topic) << "one passer-by takes nothing away";
    const auto other = (void(aliases.choose("another/topic")), aliases.choose("another/topic"));
    EXPECT_TRUE(other.alias == 1 && other.send_topic);
}

TEST(ProxyHeader, EveryPrefixAsksForMoreAndRestIsLeft) {
    const std::string two{"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x12\x67\x07\x5b",
                          28};
    for (const std::string& header :
         {std::string("PROXY TCP4 192.0.2.7 192.0.2.1 4711 1883\r\n"), two}) {
        for (size_t n = 0; n < header.size(); ++n) {
            EXPECT_EQ(read_proxy_header(std::string_view(header).substr(0, n)).status,
                      ProxyHeader::Status::need_more);
        }
        const auto whole = read_proxy_header(header + "rest");
        EXPECT_EQ(whole.status, ProxyHeader::Status::ready);
        EXPECT_EQ(whole.size, header.size());
        EXPECT_EQ(whole.address, "192.0.2.7:4711");
        EXPECT_FALSE(whole.loopback);
    }
}

TEST(ProxyHeader, Faults) {
    for (const char* bad : {"GET / HTTP/1.1\r\n", "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
                            "PROXY TCP4 1.1.1.1 1.1.1.1 1 70000\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n",
                            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", "PROXY \r\n"}) {
        EXPECT_EQ(read_proxy_header(bad).status, ProxyHeader::Status::fault) << bad;
    }
    EXPECT_EQ(read_proxy_header("PROXY " + std::string(200, 'x')).status,
              ProxyHeader::Status::fault);
    const std::string large{"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16};
    EXPECT_EQ(read_proxy_header(large).status, ProxyHeader::Status::fault);
}

}  // namespace
}  // namespace trestle::mqtt
