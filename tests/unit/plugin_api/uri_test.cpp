#include "plugin_api/uri.h"

#include <gtest/gtest.h>

namespace trestle {
namespace {

Uri good(std::string_view text) {
    auto parsed = parse_uri(text);
    EXPECT_TRUE(parsed.uri) << text << ": " << parsed.fault;
    return parsed.uri.value_or(Uri{});
}

TEST(Uri, Parts) {
    struct Row {
        const char *text, *scheme, *host;
        int port;
        const char* path;
        bool is_local, is_ipv6;
    };
    const Row rows[] = {
        {"mqtt://127.0.0.1:1883", "mqtt", "127.0.0.1", 1883, "", false, false},
        {"MQTT://localhost", "mqtt", "localhost", 1883, "", false, false},
        {"mqtts://[::1]", "mqtts", "::1", 8883, "", false, true},
        {"ws://[fe80::1%eth0]:8083/mqtt", "ws", "fe80::1%eth0", 8083, "/mqtt", false, true},
        {"tcp://*:5556", "tcp", "*", 5556, "", false, false},
        {"tcp://eth0:*", "tcp", "eth0", 0, "", false, false},
        {"http://127.0.0.1:0/", "http", "127.0.0.1", 0, "/", false, false},
        {"mqtt+unix:///run/trestle/mqtt.sock", "mqtt+unix", "", 0, "/run/trestle/mqtt.sock", true,
         false},
        {"ipc:///tmp/a", "ipc", "", 0, "/tmp/a", true, false},
        {"ipc://@abstract", "ipc", "", 0, "@abstract", true, false},
        {"inproc://name", "inproc", "", 0, "name", true, false},
    };
    for (const Row& row : rows) {
        const Uri uri = good(row.text);
        EXPECT_EQ(uri.scheme, row.scheme) << row.text;
        EXPECT_EQ(uri.host, row.host) << row.text;
        EXPECT_EQ(uri.port, row.port) << row.text;
        EXPECT_EQ(uri.path, row.path) << row.text;
        EXPECT_EQ(uri.is_local, row.is_local) << row.text;
        EXPECT_EQ(uri.is_ipv6, row.is_ipv6) << row.text;
        EXPECT_EQ(good(uri.text()).text(), uri.text());
    }
    EXPECT_EQ(good("mqtt://[::1]:1").text(), "mqtt://[::1]:1");
    EXPECT_EQ(parse_uri("tcp://h", 77).uri->port, 77);
    EXPECT_EQ(parse_uri("mqtt://h", 77).uri->port, 77);
}

TEST(Uri, Refused) {
    const std::pair<const char*, const char*> rows[] = {
        {"", "no scheme"},           {"127.0.0.1:1883", "no scheme"},
        {"://x:1", "scheme"},        {"1a://x:1", "scheme"},
        {"tcp://", "no host"},       {"tcp://:5556", "no host"},
        {"tcp://h", "no port"},      {"tcp://h:", "port"},
        {"tcp://h:65536", "port"},   {"tcp://h:-1", "port"},
        {"tcp://h:12x", "port"},     {"tcp://h:99999999999999999999", "port"},
        {"tcp://::1:5556", "IPv6"},  {"tcp://[::1:5556", "without its ]"},
        {"tcp://[zz]:5556", "IPv6"}, {"tcp://[::1]5556", "port"},
        {"tcp://a b:1", "host"},     {"mqtt://user@h:1", "user"},
        {"ws://h:1/a?b", "query"},   {"mqtt+unix://run/x", "start with /"},
        {"ipc://", "no path"},
    };
    for (const auto& [text, why] : rows) {
        const auto parsed = parse_uri(text);
        EXPECT_FALSE(parsed.uri) << text;
        EXPECT_NE(parsed.fault.find(why), std::string::npos) << text << ": " << parsed.fault;
    }
    EXPECT_FALSE(parse_uri("ipc:///" + std::string(107, 'a')).uri);
    EXPECT_TRUE(parse_uri("ipc:///" + std::string(106, 'a')).uri);
}

TEST(Uri, Loopback) {
    for (const char* text :
         {"mqtt://127.0.0.1", "mqtt://127.9.9.9", "mqtt://localhost", "tcp://lo:1", "mqtt://[::1]",
          "mqtt://[::ffff:127.0.0.1]", "mqtt+unix:///x", "ipc:///x", "inproc://x"}) {
        EXPECT_TRUE(is_loopback(good(text))) << text;
    }
    for (const char* text : {"mqtt://0.0.0.0", "tcp://*:1", "mqtt://[::]", "mqtt://128.0.0.1",
                             "mqtt://[::2]", "mqtt://[::ffff:10.0.0.1]", "tcp://eth0:1",
                             "mqtt://127.0.0.1.example", "mqtt://[::127.0.0.1]"}) {
        EXPECT_FALSE(is_loopback(good(text))) << text;
    }
}

TEST(Uri, Collisions) {
    const std::pair<const char*, const char*> same[] = {
        {"mqtt://127.0.0.1:1", "ws://127.0.0.1:1"},
        {"tcp://*:5", "tcp://127.0.0.1:5"},
        {"tcp://0.0.0.0:5", "tcp://*:5"},
        {"mqtt://localhost", "mqtt://127.0.0.1:1883"},
        {"mqtt://[::]", "mqtt://[::1]"},
        {"mqtt://[::1]", "mqtt://[0:0::1]"},
        {"ipc:///a", "mqtt+unix:///a"},
    };
    for (const auto& [a, b] : same) {
        EXPECT_TRUE(collide(good(a), good(b))) << a << " " << b;
        EXPECT_TRUE(collide(good(b), good(a))) << a << " " << b;
    }
    const std::pair<const char*, const char*> apart[] = {
        {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"},
        {"tcp://127.0.0.1:1", "tcp://127.0.0.2:1"},
        {"tcp://*:0", "tcp://*:0"},
        {"tcp://*:*", "tcp://127.0.0.1:*"},
        {"ipc:///a", "ipc:///b"},
        {"ipc://*", "ipc://*"},
        {"inproc://a", "ipc://a"},
        {"tcp://127.0.0.1:1", "ipc:///a"},
    };
    for (const auto& [a, b] : apart) {
        EXPECT_FALSE(collide(good(a), good(b))) << a << " " << b;
        EXPECT_FALSE(collide(good(b), good(a))) << a << " " << b;
    }
}

}  // namespace
}  // namespace trestle
