// Templates, filters and dead letters as `check` sees them.
#include <gtest/gtest.h>

#include "fake_plugins.h"

namespace trestle {
namespace {

using test::config_with_routes;
using test::parse;

std::string route(const std::string& mqtt, const std::string& zmq, const std::string& more) {
    return config_with_routes(R"({"name": "r", "mqtt": ")" + mqtt + R"(", "zmq": ")" + zmq +
                              "\", " + more + "}");
}

TEST(ConfigMappings, Faults) {
    struct Row {
        std::string text;
        const char* path;
        const char* says;
    };
    const Row rows[] = {
        {route("a/{x", "a.{x}", R"("to": "jobs")"), "routes[0].mqtt", "found \"a/{x\": "},
        {route("a/{x}", "a.{y}", R"("to": "jobs")"), "routes[0].mqtt",
         "{y} is in the key but not in the topic"},
        {route("a/{x}/{y}", "a.{x}{y}", R"("to": "jobs", "from": "ingest")"), "routes[0].zmq",
         "would both become"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "exclude": ["a/#/b"])"), "routes[0].exclude[0]",
         "expected an MQTT topic filter"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "key": "{y}")"), "routes[0].key",
         "{y} is in the key but not in the topic"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "key": "{x")"), "routes[0].key", "is not closed"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "dead_letter": "a/dead")"),
         "routes[0].dead_letter", "matches its own template"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "dead_letter": "dead/+")"),
         "routes[0].dead_letter", "without wildcards"},
        {route("a/{x}", "a.{x}", R"("to": "jobs", "dead_letter": "$dead")"),
         "routes[0].dead_letter", "does not start with $"},
        {route("a/{x}/{y}", "a.{x}.", R"("to": "telemetry", "snapshot": true)"), "routes[0].zmq",
         "each topic needs a key of its own"},
        {route("", "a", R"("to": "jobs")"), "routes[0].mqtt",
         "expected a string that is not empty"},
        {route("a", "${NONE:-}", R"("to": "jobs")"), "routes[0].zmq",
         "expected a string that is not empty"},
    };
    for (const Row& row : rows) {
        const auto parsed = parse(row.text);
        EXPECT_FALSE(parsed.config) << row.says;
        bool found = false;
        for (const auto& fault : parsed.faults.faults()) {
            found = found ||
                    (fault.path == row.path && fault.message.find(row.says) != std::string::npos);
        }
        EXPECT_TRUE(found) << row.path << ": " << row.says << "\n" << parsed.text();
    }
}

TEST(ConfigMappings, DeadLetterThatIsExcludedIsFine) {
    const auto parsed = parse(
        route("a/{x}", "a.{x}", R"("to": "jobs", "dead_letter": "a/dead", "exclude": ["a/dead"])"));
    EXPECT_TRUE(parsed.config) << parsed.text();
}

TEST(ConfigMappings, RoutesThatShareAndCircle) {
    auto parsed = parse(config_with_routes(
        R"({"name": "one", "mqtt": "a/{x}", "zmq": "a.{x}", "to": "jobs"},
           {"name": "two", "mqtt": "a/b", "zmq": "b", "to": "jobs"})"));
    EXPECT_TRUE(parsed.config) << parsed.text();
    EXPECT_NE(
        parsed.text().find("warning: routes[0]: routes 'one' and 'two' have topics in common"),
        std::string::npos)
        << parsed.text();

    // What the pub endpoint sends, the sub endpoint gets, and it leads back.
    const std::string circle = R"({"endpoints": {
        "out": {"plugin": "zmq", "socket": "pub", "bind": ["tcp://127.0.0.1:7000"]},
        "back": {"plugin": "zmq", "socket": "sub", "connect": ["tcp://localhost:PORT"]}},
        "routes": [{"name": "there", "mqtt": "a/{x}", "zmq": "k.{x}", "to": "out"},
                   {"name": "again", "mqtt": "a/{x}", "zmq": "k.{x}", "from": "back"}]})";
    auto with_port = [&](const char* port) {
        std::string text = circle;
        return parse(text.replace(text.find("PORT"), 4, port));
    };
    const auto closed = with_port("7000"), open = with_port("7001");
    EXPECT_FALSE(closed.config);
    EXPECT_NE(closed.text().find("circle"), std::string::npos) << closed.text();
    EXPECT_TRUE(open.config) << open.text();
    EXPECT_EQ(open.text().find("circle"), std::string::npos) << open.text();
}

TEST(ConfigMappings, Warnings) {
    auto parsed = parse(route("a/{x}", "a.{x}", R"("to": "telemetry")"));
    EXPECT_TRUE(parsed.config) << parsed.text();
    EXPECT_NE(
        parsed.text().find("warning: routes[0].zmq: found \"a.{x}\", whose keys can be prefixes"),
        std::string::npos)
        << parsed.text();
    for (const auto& text : {route("a/{x}", "a.{x}.", R"("to": "telemetry")"),
                             route("a/{x}", "a.{x}", R"("to": "jobs")")}) {
        EXPECT_EQ(parse(text).text().find("prefixes"), std::string::npos) << text;
    }
    parsed = parse(route("a/{x}", "a.{x}", R"("to": "jobs", "exclude": ["b/#", "a/1"])"));
    EXPECT_TRUE(parsed.config) << parsed.text();
    EXPECT_NE(parsed.text().find("warning: routes[0].exclude[0]: has no effect"),
              std::string::npos);
    EXPECT_EQ(parsed.text().find("exclude[1]"), std::string::npos) << parsed.text();
}

TEST(ConfigMappings, SnapshotRoutesWithOneKeyForTwoTopics) {
    const auto pair = [](const char* mqtt, const char* zmq, const char* name, bool snapshot) {
        return std::string(R"({"name": ")") + name + R"(", "mqtt": ")" + mqtt + R"(", "zmq": ")" +
               zmq + R"(", "to": "telemetry", "snapshot": )" + (snapshot ? "true" : "false") + "}";
    };
    const auto is_told = [&](const std::string& first, const std::string& second) {
        const auto parsed = parse(config_with_routes(first + "," + second));
        EXPECT_TRUE(parsed.config) << parsed.text();
        return parsed.text().find("warning: routes[1].zmq: found") != std::string::npos &&
               parsed.text().find("gives keys that route \"one\"") != std::string::npos;
    };
    const auto one = pair("a/{x}", "k.{x}.", "one", true);
    EXPECT_TRUE(is_told(one, pair("b/{x}", "k.{x}.", "two", true)));
    EXPECT_TRUE(is_told(one, pair("b/c", "k.c.", "two", true)));
    EXPECT_TRUE(is_told(one, pair("{x}/b", "k.{x}.", "two", true))) << "a/x and x/b";
    EXPECT_FALSE(is_told(one, pair("a/c", "k.c.", "two", true))) << "the same topic";
    EXPECT_FALSE(is_told(one, pair("b/{x}", "k.{x}.", "two", false)));
    EXPECT_FALSE(is_told(one, pair("b/{x}", "l.{x}.", "two", true)));
}

}  // namespace
}  // namespace trestle
