// The rules of WebSocket for messages of text (RFC 6455, and RFC 7692 for compressed ones): what an
// outside conformance test asks of a server.
#include <zlib.h>

#include "fixture.h"
#include "websocket/json/options.h"

namespace trestle::test {
namespace {

constexpr uint8_t kCompressed = 0x40;
const std::string kPing = R"({"op":"ping","id":1})";
const std::string kPong = R"({"id":1,"ok":true})";

std::string deflated(std::string_view text) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    std::string out(text.size() / 2 + 1000, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out - 4);
    deflateEnd(&stream);
    return out;
}

std::string inflated(std::string_view bytes) {
    z_stream stream{};
    inflateInit2(&stream, -15);
    const std::string whole = std::string(bytes) + std::string("\0\0\xff\xff", 4);
    std::string out(1 << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(whole.data()));
    stream.avail_in = static_cast<uInt>(whole.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    inflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out);
    inflateEnd(&stream);
    return out;
}

class JsonFramesTest : public WebSocketTest {
 protected:
    void json(const char* key, Settings::Value value) {
        json_.set(key, std::move(value), true);
        settings_.set("json", std::make_shared<const Settings>(json_), true);
    }
    /// An upgraded client of JSON.
    static Headers plain() { return {{"Sec-WebSocket-Protocol", "-"}}; }
    static Headers offering(const char* extension) {
        return {{"Sec-WebSocket-Protocol", "-"}, {"Sec-WebSocket-Extensions", extension}};
    }
    void expect_close(const std::string& bytes, int code, const Headers& headers = plain()) {
        Client client(port());
        ASSERT_TRUE(client.upgrade(headers));
        client.send(bytes);
        EXPECT_EQ(client.close_code(), code);
        client.send(close_frame(static_cast<uint16_t>(code)));
        EXPECT_TRUE(client.ended());
    }
    void expect_pong(Client& client) {
        const auto answer = client.next();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->first, 0x80 | kText);
        EXPECT_EQ(answer->payload, kPong);
    }

 private:
    Settings json_ = Settings::defaults(websocket::json::describe_options());
};

TEST_F(JsonFramesTest, FragmentsWithControlFramesBetween) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade(plain()));
    const std::string_view whole = kPing;
    client.send(frame(kText, "", false));
    for (size_t i = 0; i < whole.size(); ++i) {
        client.send(frame(kContinue, whole.substr(i, 1), false) +
                    frame(Opcode::kPing, std::string(125, 'p')));
        const auto pong = client.next();
        ASSERT_TRUE(pong);
        EXPECT_EQ(pong->opcode(), Opcode::kPong);
        EXPECT_EQ(pong->payload, std::string(125, 'p'));
    }
    client.send(frame(Opcode::kPong, "unasked") + frame(kContinue, ""));
    expect_pong(client);
}

TEST_F(JsonFramesTest, ByteByByteAndManyAtOnce) {
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade(plain()));
    for (const char c : frame(kText, kPing)) client.send({&c, 1});
    expect_pong(client);
    std::string many;
    for (int i = 0; i < 5000; ++i) many += frame(kText, kPing);
    client.send(many);
    for (int i = 0; i < 5000; ++i) expect_pong(client);
}

TEST_F(JsonFramesTest, TextIsUtf8AndFailsFast) {
    start();
    const std::string greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    // Half of a frame, or half of a message, is enough to tell.
    const std::string half = frame(kText, greek + "\xf4\x90" + std::string(1000, 'x'));
    expect_close(half.substr(0, half.size() - 1000), 1007);
    expect_close(frame(kText, greek, false) + frame(kContinue, "\xed\xa0", false), 1007);
    expect_close(frame(kText, greek + "\xe1\xbd"), 1007);
    expect_close(frame(kText, "\xff", false), 1007);
    expect_close(frame(kText, "\xc0\xaf"), 1007);
    EXPECT_EQ(errors("bad_text"), 5u);
    // A character in three frames is one.
    Client client(port());
    ASSERT_TRUE(client.upgrade(plain()));
    client.send(frame(kText, "{\"op\":\"ping\",\"id\":\"\xf0\x9f", false) +
                frame(kContinue, "\x9a", false) + frame(kContinue, "\x82\"}"));
    const auto answer = client.next();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload, "{\"id\":\"\xf0\x9f\x9a\x82\",\"ok\":true}");
}

TEST_F(JsonFramesTest, BrokenRulesClose) {
    start();
    for (const uint8_t bit : {0x10, 0x20, 0x40, 0x70}) expect_close(frame(kText | bit, "{}"), 1002);
    for (const uint8_t opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        expect_close(frame(opcode, ""), 1002);
    }
    expect_close(frame(kText, "{}", true, false), 1002);
    expect_close(frame(Opcode::kPing, "x", false), 1002);
    expect_close(frame(Opcode::kPing, std::string(126, 'x')), 1002);
    expect_close(frame(kClose, std::string(126, 'x')), 1002);
    expect_close(frame(kContinue, "x"), 1002);
    expect_close(frame(kText, "{", false) + frame(kText, "}"), 1002);
    expect_close(std::string("\x81\xfe\x00\x05", 4) + "\x01\x01\x01\x01hello", 1002);
    expect_close(std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1\1\1", 14), 1002);
}

TEST_F(JsonFramesTest, CloseFrames) {
    start();
    for (const uint16_t code :
         {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}) {
        expect_close(close_frame(code), code);
    }
    for (const uint16_t code :
         {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
        expect_close(close_frame(code), 1002);
    }
    expect_close(frame(kClose, "x"), 1002);
    expect_close(frame(kClose, std::string("\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0", 11)),
                 1007);
    expect_close(frame(kClose, "\x03\xe8" + std::string(123, 'r')), 1000);
    Client client(port());
    ASSERT_TRUE(client.upgrade(plain()));
    // What comes behind a close frame is not looked at.
    client.send(frame(kText, kPing) + frame(kClose, "") + frame(Opcode::kPing, "") +
                frame(kText, kPing));
    expect_pong(client);
    const auto closing = client.next();
    ASSERT_TRUE(closing);
    EXPECT_EQ(closing->opcode(), kClose);
    EXPECT_EQ(closing->payload, "");
    EXPECT_TRUE(client.ended());
}

TEST_F(JsonFramesTest, MessagesHaveALimit) {
    json("max_message_size", int64_t{1000});
    start();
    expect_close(frame(kText, std::string(1001, ' ')), 1009);
    expect_close(
        frame(kText, std::string(600, ' '), false) + frame(kContinue, std::string(401, ' ')), 1009);
    EXPECT_EQ(errors("too_large"), 2u);
    Client client(port());
    ASSERT_TRUE(client.upgrade(plain()));
    client.send(frame(kText, std::string(1000 - kPing.size(), ' ') + kPing));
    expect_pong(client);
}

TEST_F(JsonFramesTest, CompressionIsOffByDefault) {
    start();
    Client client(port());
    client.send(upgrade_request(offering("permessage-deflate")));
    const std::string answer = client.answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
    EXPECT_EQ(answer.find("Extensions"), answer.npos);
}

TEST_F(JsonFramesTest, CompressedMessages) {
    json("deflate", true);
    start();
    Client client(port());
    ASSERT_TRUE(client.upgrade(offering("permessage-deflate; client_max_window_bits")));
    const std::string small = deflated(kPing);
    client.send(frame(kText | kCompressed, small));
    expect_pong(client);  // too small to gain anything
    client.send(frame(kText | kCompressed, small.substr(0, 5), false) + frame(Opcode::kPing, "") +
                frame(kContinue, small.substr(5)));
    EXPECT_EQ(client.next()->opcode(), Opcode::kPong);
    expect_pong(client);
    client.send(frame(kText, kPing));  // one that is not compressed
    expect_pong(client);
    const std::string id(200, 'i');
    client.send(frame(kText | kCompressed, deflated("{\"op\":\"ping\",\"id\":\"" + id + "\"}")));
    const auto answer = client.next();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->first, 0x80 | kCompressed | kText);
    EXPECT_LT(answer->payload.size(), id.size());
    EXPECT_EQ(inflated(answer->payload), "{\"id\":\"" + id + "\",\"ok\":true}");
}

TEST_F(JsonFramesTest, CompressedMessagesThatAreWrong) {
    json("deflate", true);
    json("max_message_size", int64_t{10'000});
    start();
    const Headers agreed = offering("permessage-deflate");
    expect_close(frame(kText | kCompressed, "\xff\xff\xff not deflate"), 1007, agreed);
    expect_close(frame(kText | kCompressed, deflated(std::string(1'000'000, ' '))), 1009, agreed);
    expect_close(frame(kText | kCompressed, deflated("\xff\xfe")), 1007, agreed);
    expect_close(frame(kText, "{", false) + frame(kContinue | kCompressed, "}"), 1002, agreed);
    expect_close(frame(Opcode::kPing | kCompressed, ""), 1002, agreed);
    expect_close(frame(kText | 0x60, "{}"), 1002, agreed);
    expect_close(frame(kText | kCompressed, deflated(kPing)), 1002);  // not agreed on
}

}  // namespace
}  // namespace trestle::test
