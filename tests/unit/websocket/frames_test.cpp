// Frames: binary messages are a stream of bytes, everything else has its rule.
#include <thread>

#include "fixture.h"

namespace trestle::test {
namespace {

class FramesTest : public WebSocketTest {
 protected:
    /// Sends bytes as an upgraded client and expects the server to close with the code.
    void expect_close(const std::string& bytes, int code) {
        Client client(port());
        ASSERT_TRUE(client.upgrade());
        client.send(bytes);
        EXPECT_EQ(client.close_code(), code);
        client.send(close_frame(static_cast<uint16_t>(code)));
        EXPECT_TRUE(client.ended());
    }
    bool closed(size_t count) {
        return seen_.wait([&](Seen& s) { return s.closed.size() == count; });
    }
};

std::string pattern(size_t size) {
    std::string text(size, ' ');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 997) % 26);
    return text;
}

TEST_F(FramesTest, BoundariesMeanNothing) {
    start();
    const std::string all = pattern(10'000);
    for (const size_t size : {1u, 2u, 125u, 126u, 1529u, 4096u, 10'000u}) {
        Client client(port());
        ASSERT_TRUE(client.upgrade());
        std::string sent;
        for (size_t at = 0; at < all.size(); at += size) {
            sent += frame(kBinary, std::string_view(all).substr(at, size));
        }
        client.send(sent);
        EXPECT_EQ(client.bytes(all.size()), all) << size;
    }
}

TEST_F(FramesTest, WhatIsLeftOverComesAgain) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!tw") + frame(kBinary, "ice") + frame(kBinary, "\nmore"));
    EXPECT_EQ(client.bytes(7), "one two");
    client.send(frame(kBinary, "."));
    EXPECT_EQ(client.bytes(5), "more.");
}

TEST_F(FramesTest, FragmentsWithPingsBetween) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "one ", false) + frame(kPing, "are you there") +
                frame(kContinue, "", false) + frame(kContinue, "two ", false) +
                frame(kContinue, "three"));
    bool pong = false;
    std::string got;
    while (got.size() < 13) {
        const auto one = client.next();
        ASSERT_TRUE(one);
        if (one->opcode() == kPong) {
            EXPECT_EQ(one->payload, "are you there");
            pong = true;
        } else {
            got += one->payload;
        }
    }
    EXPECT_EQ(got, "one two three");
    EXPECT_TRUE(pong);
}

TEST_F(FramesTest, PongsThatNobodyReadsDoNotPileUp) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    constexpr int kPings = 400'000;  // 50 MB of pongs; buffers of ours and the kernel's hold less
    std::string last;
    for (int i = 0; i < kPings;) {
        std::string many;
        for (const int end = i + 1000; i < end; ++i) {
            last = std::to_string(i) + std::string(118, '.');
            many += frame(kPing, last);
        }
        client.send(many);
    }
    client.send(frame(kBinary, "x"));
    int pongs = 0;
    bool echo = false;
    std::string answered;
    while (answered != last || !echo) {
        const auto one = client.next();
        ASSERT_TRUE(one);
        if (one->opcode() == kPong) {
            ++pongs;
            answered = one->payload;
        } else {
            echo = true;
        }
    }
    EXPECT_LT(pongs, kPings);
}

TEST_F(FramesTest, ByteByByte) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    const std::string sent = frame(kBinary, pattern(300));
    for (const char c : sent) client.send({&c, 1});
    EXPECT_EQ(client.bytes(300), pattern(300));
}

TEST_F(FramesTest, ATurnsOutputIsOneMessage) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, "!twice\n"));
    const auto one = client.next();
    ASSERT_TRUE(one);
    EXPECT_EQ(one->payload, "one two");
    EXPECT_EQ(one->first, 0x80 | kBinary);
}

TEST_F(FramesTest, MuchOutputIsSplit) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    constexpr size_t kMuch = 3'000'000;  // more than the high water
    client.send(frame(kBinary, "!send 3000000\n"));
    size_t got = 0;
    while (got < kMuch) {
        const auto one = client.next();
        ASSERT_TRUE(one);
        EXPECT_EQ(one->first, 0x80 | kBinary);
        EXPECT_LE(one->payload.size(), 64u * 1024);
        EXPECT_EQ(one->payload.find_first_not_of('s'), std::string::npos);
        got += one->payload.size();
    }
    EXPECT_EQ(got, kMuch);
    EXPECT_TRUE(seen_.wait([](Seen& s) { return s.drained == 1; }));
}

TEST_F(FramesTest, LargeMessagesBothWays) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    const std::string all = pattern(5'000'000);
    std::thread writer([&] {
        client.send(frame(kBinary, std::string_view(all).substr(0, 4'000'000)));
        client.send(frame(kBinary, std::string_view(all).substr(4'000'000)));
    });
    EXPECT_TRUE(client.bytes(all.size()) == all);
    writer.join();
}

TEST_F(FramesTest, TextClosesTheConnection) {
    start();
    expect_close(frame(kText, "hello"), 1003);
    EXPECT_EQ(seen_.end(), "sent a text frame");
    EXPECT_EQ(errors("text_frame"), 1u);
    expect_close(frame(kText, ""), 1003);
    expect_close(frame(kBinary, "fine") + frame(kText, "not"), 1003);
    EXPECT_TRUE(closed(3));
    EXPECT_EQ(errors("text_frame"), 3u);
    EXPECT_EQ(seen_.get(&Seen::bytes), "fine");
}

TEST_F(FramesTest, BrokenRulesCloseTheConnection) {
    set("max_message_size", 1000);
    start();
    const std::vector<std::pair<std::string, const char*>> bad = {
        {frame(kBinary, "not masked", true, false), "unmasked"},
        {frame(kBinary | 0x40, "reserved bit"), "reserved bit, no extension was agreed on"},
        {frame(3, "unknown"), "unknown data opcode"},
        {frame(11, "unknown"), "unknown control opcode"},
        {frame(kPing, "part", false), "a ping in fragments"},
        {frame(kPing, std::string(126, 'x')), "a ping that is too long"},
        {frame(kContinue, "of nothing"), "nothing to continue"},
        {frame(kBinary, "part", false) + frame(kBinary, "new"), "two messages at once"},
        {frame(kClose, "x"), "half a close code"},
        {close_frame(1005), "a close code that is never sent"},
        {std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14),
         "a length beyond 2^63"},
    };
    uint64_t count = 0;
    for (const auto& [bytes, what] : bad) {
        SCOPED_TRACE(what);
        Client client(port());
        ASSERT_TRUE(client.upgrade());
        client.send(bytes);
        const int code = client.close_code();
        EXPECT_TRUE(code == 1002 || code == 1009) << code;
        EXPECT_TRUE(client.ended());
        ++count;
    }
    EXPECT_TRUE(closed(count));
    EXPECT_EQ(errors("bad_frame") + errors("too_large"), count);
}

TEST_F(FramesTest, MessagesHaveALimit) {
    set("max_message_size", 1000);
    start();
    expect_close(frame(kBinary, pattern(1001)), 1009);
    expect_close(frame(kBinary, pattern(600), false) + frame(kContinue, pattern(401)), 1009);
    EXPECT_TRUE(closed(2));
    EXPECT_EQ(errors("too_large"), 2u);
    Client client(port());
    ASSERT_TRUE(client.upgrade());
    client.send(frame(kBinary, pattern(1000)));
    EXPECT_EQ(client.bytes(1000), pattern(1000));
}

}  // namespace
}  // namespace trestle::test
