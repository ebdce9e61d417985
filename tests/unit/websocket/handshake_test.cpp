// The opening handshake: who is let in, and what the others are told.
#include "fixture.h"

namespace trestle::test {
namespace {

class HandshakeTest : public WebSocketTest {
 protected:
    std::string ask(const std::string& request) {
        Client client(port());
        client.send(request);
        return client.answer();
    }
};

TEST_F(HandshakeTest, LetsMqttClientsIn) {
    start();
    const std::vector<std::pair<Headers, std::string>> good = {
        {{}, "mqtt"},
        {{{"Sec-WebSocket-Protocol", "mqttv3.1"}}, "mqttv3.1"},
        {{{"Sec-WebSocket-Protocol", "chat, mqtt"}}, "mqtt"},
        {{{"Sec-WebSocket-Protocol", "chat"}, {"Sec-WebSocket-Protocol+", "mqtt"}}, "mqtt"},
        {{{"Upgrade", "WebSocket"}, {"Connection", "keep-alive, upgrade"}}, "mqtt"},
        {{{"Connection", "keep-alive"}, {"Connection+", "Upgrade"}}, "mqtt"},
        {{{"Upgrade", "h2c"}, {"Upgrade+", "websocket"}}, "mqtt"},
        {{{"Origin", "https://anywhere.example"}}, "mqtt"},
    };
    for (const auto& [headers, agreed] : good) {
        const std::string answer = ask(upgrade_request(headers, "GET /any/path?x=1 HTTP/1.1"));
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
        EXPECT_NE(answer.find("\r\nSec-WebSocket-Protocol: " + agreed + "\r\n"), answer.npos)
            << answer;
        // The key's answer of RFC 6455, section 1.3.
        EXPECT_NE(answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), answer.npos) << answer;
    }
    EXPECT_TRUE(seen_.wait([&](Seen& s) { return s.shards.size() == good.size(); }));
    EXPECT_NE(seen_.get(&Seen::subjects).find("127.0.0.1:"), std::string::npos);
    EXPECT_NE(seen_.get(&Seen::subjects).find(" loopback"), std::string::npos);
}

struct Bad {
    std::string request;
    const char* status;
    const char* says;
    const char* reason;
};

TEST_F(HandshakeTest, TellsTheOthersWhy) {
    settings_.set("path", std::string("/mqtt"), true);
    settings_.set("allowed_origins", std::vector<std::string>{"https://Good.example"}, true);
    start();
    constexpr const char* kLine = "GET /mqtt HTTP/1.1";
    const std::vector<Bad> table = {
        {upgrade_request({}, "GET / HTTP/1.1"), "404", "path", "path"},
        {upgrade_request({}, "GET /mqtt/x HTTP/1.1"), "404", "path", "path"},
        {upgrade_request({}, "GET http://x HTTP/1.1"), "404", "path", "path"},
        {upgrade_request({}, "GET /http://x/mqtt HTTP/1.1"), "404", "path", "path"},
        {"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", "426", "WebSocket", "not_websocket"},
        {"POST /mqtt HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "426", "WebSocket",
         "not_websocket"},
        {upgrade_request({}, "POST /mqtt HTTP/1.1"), "400", "GET", "malformed"},
        {upgrade_request({}, "GET /mqtt HTTP/1.0"), "400", "HTTP/1.1", "malformed"},
        {upgrade_request({{"Connection", "close"}}, kLine), "400", "Connection", "malformed"},
        {upgrade_request({{"Host", "-"}}, kLine), "400", "Host", "malformed"},
        {upgrade_request({{"Host+", "two"}}, kLine), "400", "Host", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Version", "8"}}, kLine), "426", "13", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Version", "-"}}, kLine), "426", "13", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Key", "-"}}, kLine), "400", "Key", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Key", "c2hvcnQ="}}, kLine), "400", "Key", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Key", std::string(200, 'A')}}, kLine), "400", "Key",
         "malformed"},
        {upgrade_request({{"Sec-WebSocket-Key+", "dGhlIHNhbXBsZSBub25jZQ=="}}, kLine), "400", "Key",
         "malformed"},
        {upgrade_request({{"Origin", "https://bad.example"}}, kLine), "403", "origin", "origin"},
        {upgrade_request({{"Origin", "https://good.example"}, {"Origin+", "null"}}, kLine), "400",
         "Origin", "malformed"},
        {upgrade_request({{"Sec-WebSocket-Protocol", ""}}, kLine), "400", "mqtt", "subprotocol"},
        {upgrade_request({{"Sec-WebSocket-Protocol", "amqp, MQTT"}}, kLine), "400", "mqtt",
         "subprotocol"},
        {upgrade_request({{"Filler", std::string(9'000, 'x')}}, kLine), "431", "large",
         "too_large"},
        {upgrade_request({}, kLine) + frame(kBinary, "hasty"), "400", "follow", "malformed"},
        {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "400", "HTTP",
         "malformed"},
        {"\x10\x0e\r\n\r\n", "400", "HTTP", "malformed"},
    };
    for (const auto& bad : table) {
        const uint64_t before = failures(bad.reason);
        Client client(port());
        client.send(bad.request);
        const std::string answer = client.answer();
        EXPECT_TRUE(answer.starts_with(std::string("HTTP/1.1 ") + bad.status + " "))
            << bad.request << "\n"
            << answer;
        EXPECT_NE(answer.find(bad.says, answer.find("\r\n\r\n")), answer.npos)
            << bad.request << "\n"
            << answer;
        const bool tells_what_to_speak = std::string_view(bad.status) == "426";
        EXPECT_EQ(answer.find("\r\nConnection: close, Upgrade\r\n") != answer.npos,
                  tells_what_to_speak)
            << answer;
        EXPECT_TRUE(client.ended());
        EXPECT_EQ(failures(bad.reason), before + 1) << bad.request;
    }
    EXPECT_TRUE(seen_.get(&Seen::shards).empty());
    for (const char* line :
         {kLine, "GET /mqtt?at=/x://y HTTP/1.1", "GET http://localhost:8083/mqtt?x=1 HTTP/1.1"}) {
        Client good(port());
        good.send(upgrade_request({{"Origin", "HTTPS://good.example"}}, line));
        EXPECT_TRUE(good.answer().starts_with("HTTP/1.1 101 ")) << line;
    }
}

TEST_F(HandshakeTest, IsReadByteByByte) {
    start();
    Client client(port());
    const std::string request = upgrade_request();
    for (const char c : request) client.send({&c, 1});
    EXPECT_TRUE(client.answer().starts_with("HTTP/1.1 101 "));
}

TEST_F(HandshakeTest, IsCutWhenItTakesTooLong) {
    set("handshake_timeout_ms", 100);
    start();
    Client silent(port());
    Client slow(port());
    slow.send("GET / HTTP/1.1\r\nHost: x\r\nUpgr");
    EXPECT_TRUE(silent.ended());
    EXPECT_TRUE(slow.ended());
    EXPECT_EQ(failures("timeout"), 2u);
    EXPECT_EQ(seen_.get(&Seen::shards).size(), 0u);
}

TEST_F(HandshakeTest, CountsClientsThatGoAway) {
    start();
    {
        Client client(port());
        client.send("GET / HT");
        client.half_close();
        EXPECT_TRUE(client.ended());
    }
    expect_all_gone();
    EXPECT_EQ(failures("gone"), 1u);
}

TEST_F(HandshakeTest, HasALimitOfConnections) {
    set("max_connections", 1);
    start();
    {
        Client first(port());
        ASSERT_TRUE(first.upgrade());
        Client second(port());
        second.send(upgrade_request());
        EXPECT_TRUE(second.answer().starts_with("HTTP/1.1 503 "));
        EXPECT_EQ(failures("limit"), 1u);
        EXPECT_TRUE(second.ended());
        first.send(close_frame(1000));
        EXPECT_EQ(first.close_code(), 1000);
        first.half_close();
        EXPECT_TRUE(first.ended());
    }
    // The place is free when the server has closed the socket: the client sees the end before that.
    bool accepted = false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!accepted && std::chrono::steady_clock::now() < deadline) {
        Client third(port());
        accepted = third.upgrade();
    }
    EXPECT_TRUE(accepted);
}

TEST_F(HandshakeTest, WithoutASubprotocolItIsJson) {
    start();
    const std::string bare = ask(upgrade_request({{"Sec-WebSocket-Protocol", "-"}}));
    EXPECT_TRUE(bare.starts_with("HTTP/1.1 101 ")) << bare;
    EXPECT_EQ(bare.find("Sec-WebSocket-Protocol"), bare.npos) << bare;
    const std::string named =
        ask(upgrade_request({{"Sec-WebSocket-Protocol", "x, trestle.v1+json, mqtt"}}));
    EXPECT_NE(named.find("\r\nSec-WebSocket-Protocol: trestle.v1+json\r\n"), named.npos) << named;
}

TEST_F(HandshakeTest, OnlyWhatTheConfigOffers) {
    settings_.set("subprotocols", std::vector<std::string>{"mqtt"}, true);
    start();
    EXPECT_TRUE(
        ask(upgrade_request({{"Sec-WebSocket-Protocol", "-"}})).starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(ask(upgrade_request({{"Sec-WebSocket-Protocol", "trestle.v1+json"}}))
                    .starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(ask(upgrade_request()).starts_with("HTTP/1.1 101 "));
    EXPECT_EQ(failures("subprotocol"), 2u);
}

TEST_F(HandshakeTest, WithoutMqttWhoAsksForItIsRefused) {
    Settings without = Settings::defaults(websocket::describe_options());
    without.set("listen", std::vector<std::string>{"ws://127.0.0.1:0"}, true);
    settings_ = without;
    start();
    const std::string answer = ask(upgrade_request());
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
    EXPECT_EQ(failures("subprotocol"), 1u);
}

}  // namespace
}  // namespace trestle::test
