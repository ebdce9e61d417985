// What a config without faults becomes, and what a reload makes of two of them.
#include "server/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_plugins.h"
#include "server/config_diff.h"
#include "server/schema.h"

namespace trestle {
namespace {

using test::config_with_routes;
using test::parse;

TEST(Config, Defaults) {
    const auto parsed = parse(R"({"endpoints": {}})");
    ASSERT_TRUE(parsed.config) << parsed.text();
    const Config& config = *parsed.config;
    EXPECT_EQ(config.shards, 1);
    EXPECT_EQ(config.drain_timeout_ms, 5000);
    EXPECT_EQ(config.log, (LogConfig{"info", "text"}));
    EXPECT_EQ(config.admin, AdminConfig{});
    EXPECT_TRUE(config.routes.empty());
    EXPECT_EQ(config.endpoint("devices"), nullptr);
}

TEST(Config, RouteDefaults) {
    const auto parsed = parse(
        config_with_routes(R"({"name": "r", "mqtt": "a/{x}", "zmq": "a.{x}", "to": "jobs"})"));
    ASSERT_TRUE(parsed.config) << parsed.text();
    const RouteConfig& route = parsed.config->routes.at(0);
    EXPECT_EQ(route.name, "r");
    EXPECT_EQ(route.to, "jobs");
    EXPECT_EQ(route.from, "");
    EXPECT_EQ(route.qos_in, 1);
    EXPECT_EQ(route.qos_out, 2);
    EXPECT_FALSE(route.retain);
    EXPECT_FALSE(route.worker_acks);
    EXPECT_EQ(route.timeout_ms, 30000);
    EXPECT_EQ(route.queue, (RouteQueueConfig{100000, 67108864, "", 10000}));
    EXPECT_TRUE(route.exclude.empty());
}

TEST(Config, RouteOptions) {
    const auto parsed = parse(config_with_routes(
        R"({"name": "r", "description": "d", "mqtt": "a/{x}", "zmq": "a.{x}.", "to": "workers",
            "from": "ingest", "exclude": ["a/1", "a/2"], "qos": 0, "retain": true, "ack": "worker",
            "timeout_ms": 10, "share": "g", "dead_letter": "dead",
            "queue": {"max_messages": 5, "max_bytes": 1e6, "when_full": "drop_newest",
                      "block_ms": 0}})"));
    ASSERT_TRUE(parsed.config) << parsed.text();
    const RouteConfig& route = parsed.config->routes.at(0);
    EXPECT_EQ(route.qos_in, 0);
    EXPECT_EQ(route.qos_out, 0);
    EXPECT_TRUE(route.retain);
    EXPECT_TRUE(route.worker_acks);
    EXPECT_EQ(route.timeout_ms, 10);
    EXPECT_EQ(route.share, "g");
    EXPECT_EQ(route.no_receiver, "accept");
    EXPECT_FALSE(route.snapshot);
    EXPECT_EQ(route.dead_letter, "dead");
    EXPECT_EQ(route.exclude.size(), 2U);
    EXPECT_EQ(route.queue, (RouteQueueConfig{5, 1000000, "drop_newest", 0}));
}

TEST(Config, EndpointsHaveTheirSettings) {
    const auto parsed = parse(R"({"endpoints": {
        "z": {"plugin": "zmq", "socket": "pub", "anonymous": true, "bind": ["tcp://*:5556"]},
        "a": {"plugin": "mqtt", "listen": ["mqtt://[::1]:1883"]}},
        "routes": [{"name": "r", "mqtt": "a", "zmq": "a", "to": "z"}],
        "admin": {"listen": "http://0.0.0.0:1", "token": "t",
                  "probe_listen": "http://0.0.0.0:2"}})");
    ASSERT_TRUE(parsed.config) << parsed.text();
    const EndpointConfig* z = parsed.config->endpoint("z");
    ASSERT_NE(z, nullptr);
    EXPECT_EQ(z->plugin, "zmq");
    EXPECT_TRUE(z->anonymous());
    EXPECT_TRUE(z->kind.takes_routes);
    EXPECT_TRUE(z->kind.prefix_matched);
    EXPECT_EQ(parsed.config->endpoints[0].name, "a");
    EXPECT_FALSE(parsed.config->endpoints[0].anonymous());
    EXPECT_EQ(parsed.config->admin.token, "t");
}

Config made(const std::string& text) {
    auto parsed = parse(text);
    EXPECT_TRUE(parsed.config) << parsed.text();
    return parsed.config ? std::move(*parsed.config) : Config{};
}

std::string route(const char* name, const char* topic) {
    return std::string(R"({"name": ")") + name + R"(", "mqtt": ")" + topic + R"(", "zmq": "k.)" +
           name + R"(", "to": "jobs"})";
}

TEST(ConfigDiff, Routes) {
    const Config running =
        made(config_with_routes(route("a", "a") + "," + route("b", "b") + "," + route("c", "c")));
    EXPECT_TRUE(compare_configs(running, running).empty());
    const Config wanted =
        made(config_with_routes(route("c", "x") + "," + route("d", "d") + "," + route("a", "a")));
    const ConfigDiff diff = compare_configs(running, wanted);
    EXPECT_EQ(diff.added, std::vector<std::string>{"d"});
    EXPECT_EQ(diff.removed, std::vector<std::string>{"b"});
    EXPECT_EQ(diff.changed, std::vector<std::string>{"c"});
    EXPECT_TRUE(diff.is_reordered);
    EXPECT_TRUE(diff.needs_restart.empty());
}

TEST(ConfigDiff, WhatNeedsARestart) {
    const Config running = made(R"({"endpoints": {
        "a": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1"]},
        "b": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:2"]},
        "c": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:3"]}},
        "admin": {"token": "old"}})");
    const Config wanted = made(R"({"endpoints": {
        "a": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:9"], "session": {"max_queued": 5},
              "max_connections": 1000},
        "c": {"plugin": "zmq", "socket": "sub", "bind": ["tcp://127.0.0.1:3"]},
        "d": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:4"]}},
        "shards": 2, "log": {"level": "debug", "format": "json"}, "drain_timeout_ms": 1,
        "admin": {"token": "new", "listen": "http://127.0.0.1:5", "anonymous": true, "max_tails": 1,
                  "tail_rate": 1}})");
    const ConfigDiff diff = compare_configs(running, wanted);
    std::vector<std::string> paths;
    for (const auto& fault : diff.needs_restart) {
        paths.push_back(fault.path);
        EXPECT_NE(fault.message.find("needs a restart"), std::string::npos) << fault.message;
        EXPECT_EQ(fault.message.find("old"), std::string::npos) << fault.message;
        EXPECT_EQ(fault.message.find("\"new\""), std::string::npos) << fault.message;
    }
    std::sort(paths.begin(), paths.end());
    EXPECT_EQ(paths, (std::vector<std::string>{
                         "admin.anonymous", "admin.listen", "admin.max_tails", "admin.tail_rate",
                         "admin.token", "drain_timeout_ms", "endpoints.a.listen",
                         "endpoints.a.session.max_queued", "endpoints.b", "endpoints.c.plugin",
                         "endpoints.d", "log.format", "log.level", "shards"}));
    EXPECT_FALSE(diff.empty());
}

TEST(Schema, DescribesWhatIsValidated) {
    test::FakePlugins plugins;
    const auto schema = nlohmann::json::parse(config_schema(plugins));
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["additionalProperties"], false);
    EXPECT_EQ(schema["required"], nlohmann::json::array({"endpoints"}));
    const auto& zmq = schema["$defs"]["zmq_endpoint"];
    EXPECT_EQ(zmq["additionalProperties"], false);
    EXPECT_EQ(zmq["properties"]["plugin"]["const"], "zmq");
    EXPECT_EQ(zmq["properties"]["socket"]["anyOf"][0]["enum"].size(), 5U);
    EXPECT_TRUE(zmq["properties"].contains("anonymous"));
    EXPECT_EQ(zmq["properties"]["format"]["default"], "topic_payload");
    const auto& mqtt = schema["$defs"]["mqtt_endpoint"];
    EXPECT_EQ(mqtt["required"], nlohmann::json::array({"plugin", "listen"}));
    EXPECT_EQ(mqtt["properties"]["receive_maximum"]["anyOf"][0]["maximum"], 65535);
    EXPECT_EQ(mqtt["properties"]["listen"]["minItems"], 1);
    const auto& route = schema["properties"]["routes"]["items"];
    EXPECT_EQ(route["required"], nlohmann::json::array({"name", "mqtt", "zmq"}));
    EXPECT_EQ(route["properties"]["queue"]["properties"]["max_messages"]["default"], 100000);
    EXPECT_EQ(config_schema(plugins), config_schema(plugins));
}

}  // namespace
}  // namespace trestle
