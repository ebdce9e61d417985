// A table of faulty configs: where the fault is told, and what is said.
#include <gtest/gtest.h>

#include "fake_plugins.h"

namespace trestle {
namespace {

using test::config_with_routes;
using test::parse;

struct Row {
    const char* label;
    std::string text;
    const char* path;
    std::vector<const char*> says;
};

// The fault is there, at this path, and says all of this; no config comes out.
void expect_fault(const Row& row) {
    const auto parsed = parse(row.text);
    EXPECT_FALSE(parsed.config) << row.label;
    bool found = false;
    for (const auto& fault : parsed.faults.faults()) {
        bool says_all = fault.path == row.path;
        for (const char* part : row.says) {
            says_all = says_all && fault.message.find(part) != std::string::npos;
        }
        found = found || says_all;
    }
    EXPECT_TRUE(found) << row.label << " expected at " << row.path << ", got:\n" << parsed.text();
}

std::string devices(const std::string& more) {
    return R"({"endpoints": {"devices": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1883"])" +
           more + "}}}";
}

std::string zmq(const std::string& keys) {
    return R"({"endpoints": {"z": {"plugin": "zmq", )" + keys + "}}}";
}

TEST(ConfigFaults, OfTheDescription) {
    const Row rows[] = {
        {"top is no object", "[1]", "", {"found a list", "expected an object"}},
        {"no endpoints", "{}", "endpoints", {"found nothing", "object of endpoints"}},
        {"endpoints is a list", R"({"endpoints": []})", "endpoints", {"found []", "by name"}},
        {"endpoint is a string",
         R"({"endpoints": {"a": "mqtt"}})",
         "endpoints.a",
         {"found \"mqtt\"", "an object"}},
        {"bad endpoint name",
         R"({"endpoints": {"Dev ices": {"plugin": "mqtt"}}})",
         "endpoints[\"Dev ices\"]",
         {"this name", "lower-case letters"}},
        {"no plugin",
         R"({"endpoints": {"a": {}}})",
         "endpoints.a.plugin",
         {"found nothing", "\"broken\", \"mqtt\", \"websocket\" or \"zmq\""}},
        {"plugin is a number",
         R"({"endpoints": {"a": {"plugin": 7}}})",
         "endpoints.a.plugin",
         {"found 7", "\"broken\", \"mqtt\", \"websocket\" or \"zmq\""}},
        {"unknown plugin",
         R"({"endpoints": {"a": {"plugin": "zmp"}}})",
         "endpoints.a.plugin",
         {"found \"zmp\"", "expected \"broken\", \"mqtt\", \"websocket\" or \"zmq\"",
          "did you mean \"zmq\"?"}},
        {"unusable plugin",
         R"({"endpoints": {"a": {"plugin": "broken"}}})",
         "endpoints.a.plugin",
         {"found \"broken\"", "cannot be used: it comes from another build"}},
        {"unknown key at the top",
         R"({"endpoints": {}, "shard": 2})",
         "shard",
         {"unknown key", "did you mean \"shards\"?"}},
        {"misspelt routes",
         R"({"endpoints": {}, "ruotes": []})",
         "ruotes",
         {"unknown key", "did you mean \"routes\"?"}},
        {"unknown key of an endpoint",
         devices(R"(, "lisen": [])"),
         "endpoints.devices.lisen",
         {"unknown key", "did you mean \"listen\"?"}},
        {"unknown key without a guess",
         devices(R"(, "zzz": 1)"),
         "endpoints.devices.zzz",
         {"unknown key", "\"listen\"", "\"receive_maximum\""}},
        {"unknown nested key",
         devices(R"(, "session": {"max_queud": 1})"),
         "endpoints.devices.session.max_queud",
         {"did you mean \"max_queued\"?"}},
        {"string for an integer",
         devices(R"(, "max_connections": "many")"),
         "endpoints.devices.max_connections",
         {"found \"many\"", "an integer from 1 to 1000000"}},
        {"quoted number",
         devices(R"(, "max_connections": "5")"),
         "endpoints.devices.max_connections",
         {"found \"5\"", "an integer"}},
        {"fraction",
         devices(R"(, "max_connections": 1.5)"),
         "endpoints.devices.max_connections",
         {"found 1.5", "an integer"}},
        {"too small",
         devices(R"(, "receive_maximum": 0)"),
         "endpoints.devices.receive_maximum",
         {"found 0", "from 1 to 65535"}},
        {"too large",
         devices(R"(, "receive_maximum": 65536)"),
         "endpoints.devices.receive_maximum",
         {"found 65536", "from 1 to 65535"}},
        {"enormous",
         devices(R"(, "receive_maximum": 18446744073709551615)"),
         "endpoints.devices.receive_maximum",
         {"found 18446744073709551615", "from 1 to 65535"}},
        {"number out of range",
         devices(R"(, "load_factor": 1.01)"),
         "endpoints.devices.load_factor",
         {"found 1.01", "a number from 0 to 1"}},
        {"integer for a boolean",
         devices(R"(, "retain_available": 1)"),
         "endpoints.devices.retain_available",
         {"found 1", "true or false"}},
        {"null",
         devices(R"(, "retain_available": null)"),
         "endpoints.devices.retain_available",
         {"found null", "true or false"}},
        {"number for an object",
         devices(R"(, "session": 1)"),
         "endpoints.devices.session",
         {"found 1", "an object"}},
        {"missing required list",
         R"({"endpoints": {"a": {"plugin": "mqtt"}}})",
         "endpoints.a.listen",
         {"found nothing", "a list of strings", "Addresses"}},
        {"string for a list",
         R"({"endpoints": {"a": {"plugin": "mqtt", "listen": "mqtt://x:1"}}})",
         "endpoints.a.listen",
         {"found \"mqtt://x:1\"", "a list of strings", "[\"mqtt://x:1\"]"}},
        {"number in a list",
         R"({"endpoints": {"a": {"plugin": "mqtt", "listen": [5]}}})",
         "endpoints.a.listen[0]",
         {"found 5", "a string"}},
        {"empty list",
         R"({"endpoints": {"a": {"plugin": "mqtt", "listen": []}}})",
         "endpoints.a.listen",
         {"found a list of 0", "from 1 to 16 elements"}},
        {"not among the choices",
         zmq(R"("socket": "psuh", "bind": ["tcp://127.0.0.1:1"])"),
         "endpoints.z.socket",
         {"found \"psuh\"", "\"pub\", \"push\", \"pull\"", "did you mean \"push\"?"}},
        {"the plugin's own rule",
         zmq(R"("socket": "pub")"),
         "endpoints.z",
         {"neither \"bind\" nor \"connect\""}},
        {"the plugin's own rule below",
         zmq(R"("socket": "pub", "format": "single", "bind": ["tcp://127.0.0.1:1"])"),
         "endpoints.z.separator",
         {"found nothing"}},
        {"key given twice",
         R"({"endpoints": {"a": {"plugin": "mqtt", "plugin": "zmq"}}})",
         "endpoints.a.plugin",
         {"found the key twice"}},
        {"log level",
         R"({"endpoints": {}, "log": {"level": "loud"}})",
         "log.level",
         {"found \"loud\"", "\"warning\" or \"error\""}},
        {"no shards", R"({"endpoints": {}, "shards": 0})", "shards", {"found 0", "from 1 to 64"}},
    };
    for (const Row& row : rows) expect_fault(row);
}

TEST(ConfigFaults, OfAddresses) {
    const Row rows[] = {
        {"no address",
         zmq(R"("socket": "pub", "bind": ["5556"])"),
         "endpoints.z.bind[0]",
         {"found \"5556\"", "has no scheme", "tcp://127.0.0.1:5556"}},
        {"open to everybody",
         zmq(R"("socket": "pub", "bind": ["tcp://*:5556"])"),
         "endpoints.z.bind[0]",
         {"found \"tcp://*:5556\"", "\"anonymous\": true"}},
        {"twice in one list",
         zmq(R"("socket": "pub", "bind": ["tcp://127.0.0.1:1", "tcp://127.0.0.1:1"])"),
         "endpoints.z.bind[1]",
         {"endpoints.z.bind[0] listens there already"}},
        {"twice in two endpoints",
         R"({"endpoints": {"a": {"plugin": "mqtt", "listen": ["mqtt://localhost:1"]},
             "b": {"plugin": "zmq", "socket": "sub", "bind": ["tcp://127.0.0.1:1"]}}})",
         "endpoints.b.bind[0]",
         {"endpoints.a.listen[0]"}},
        {"all and one",
         R"({"endpoints": {"a": {"plugin": "mqtt", "anonymous": true,
                                 "listen": ["mqtt://0.0.0.0:1"]},
             "b": {"plugin": "zmq", "socket": "sub", "bind": ["tcp://127.0.0.1:1"]}}})",
         "endpoints.b.bind[0]",
         {"endpoints.a.listen[0]"}},
        {"admin on an endpoint's port",
         R"({"endpoints": {"a": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:8080"]}},
             "admin": {"listen": "http://127.0.0.1:8080"}})",
         "admin.listen",
         {"endpoints.a.listen[0]"}},
        {"admin open to everybody",
         R"({"endpoints": {}, "admin": {"listen": "http://0.0.0.0:8080"}})",
         "admin.listen",
         {"found \"http://0.0.0.0:8080\"", "\"token\""}},
        {"admin by another protocol",
         R"({"endpoints": {}, "admin": {"listen": "tcp://127.0.0.1:1"}})",
         "admin.listen",
         {"expected an address such as http://"}},
        {"an empty token, which would ask for none",
         R"({"endpoints": {}, "admin": {"token": "${NONE:-}"}})",
         "admin.token",
         {"found \"\"", "not empty"}},
        {"a token that no header can carry",
         R"({"endpoints": {}, "admin": {"token": "to\nken"}})",
         "admin.token",
         {"a control character in it"}},
        {"admin's probes without a scheme",
         R"({"endpoints": {}, "admin": {"probe_listen": ":1"}})",
         "admin.probe_listen",
         {"has no scheme"}},
    };
    for (const Row& row : rows) expect_fault(row);
}

TEST(ConfigFaults, OfRoutes) {
    auto route = [](const std::string& keys) {
        return config_with_routes(R"({"name": "r", "mqtt": "a/b", "zmq": "a.b", )" + keys + "}");
    };
    const Row rows[] = {
        {"routes is an object",
         R"({"endpoints": {}, "routes": {}})",
         "routes",
         {"found {}", "a list of routes"}},
        {"route is a string",
         config_with_routes("\"r\""),
         "routes[0]",
         {"found \"r\"", "an object"}},
        {"no name",
         config_with_routes(R"({"mqtt": "a", "zmq": "a", "to": "jobs"})"),
         "routes[0].name",
         {"found nothing", "Unique name"}},
        {"bad name",
         config_with_routes(R"({"name": "R!", "mqtt": "a", "zmq": "a", "to": "jobs"})"),
         "routes[0].name",
         {"found \"R!\"", "lower-case"}},
        {"empty name",
         config_with_routes(R"({"name": "", "mqtt": "a", "zmq": "a", "to": "jobs"})"),
         "routes[0].name",
         {"found \"\"", "lower-case"}},
        {"name used twice",
         config_with_routes(R"({"name": "r", "mqtt": "a", "zmq": "a", "to": "jobs"},
                               {"name": "r", "mqtt": "b", "zmq": "b", "to": "jobs"})"),
         "routes[1].name",
         {"found \"r\"", "routes[0] has already"}},
        {"no templates",
         config_with_routes(R"({"name": "r", "to": "jobs"})"),
         "routes[0].mqtt",
         {"found nothing", "Topic template"}},
        {"leads nowhere", route(R"("qos": 1)"), "routes[0]", {"neither \"to\" nor \"from\""}},
        {"unknown endpoint",
         route(R"("to": "job")"),
         "routes[0].to",
         {"found \"job\"", "\"jobs\", \"telemetry\" or \"workers\"", "did you mean \"jobs\"?"}},
        {"endpoint of the wrong kind",
         route(R"("to": "ingest")"),
         "routes[0].to",
         {"found \"ingest\"", "takes no routes", "\"jobs\""}},
        {"from the wrong kind",
         route(R"("from": "jobs")"),
         "routes[0].from",
         {"found \"jobs\"", "gives no messages", "\"ingest\" or \"raw\""}},
        {"to MQTT", route(R"("to": "devices")"), "routes[0].to", {"takes no routes"}},
        {"worker acks of a push",
         route(R"("to": "jobs", "ack": "worker")"),
         "routes[0].ack",
         {"found \"worker\"", "goes to \"jobs\"", "router"}},
        {"worker acks from",
         route(R"("from": "ingest", "ack": "worker")"),
         "routes[0].ack",
         {"has no \"to\""}},
        {"qos", route(R"("to": "jobs", "qos": 3)"), "routes[0].qos", {"found 3", "from 0 to 2"}},
        {"share", route(R"("to": "jobs", "share": "a/b")"), "routes[0].share", {"found \"a/b\""}},
        {"share of what all get",
         route(R"("to": "telemetry", "share": "g")"),
         "routes[0].share",
         {"found on a route to \"telemetry\"", "push"}},
        {"queue",
         route(R"("to": "jobs", "queue": {"max_messages": 0})"),
         "routes[0].queue.max_messages",
         {"found 0", "from 1 to 100000000"}},
        {"policy",
         route(R"("to": "jobs", "queue": {"when_full": "drop-oldest"})"),
         "routes[0].queue.when_full",
         {"did you mean \"drop_oldest\"?"}},
        {"two takers of keyless messages",
         config_with_routes(R"({"name": "r", "mqtt": "a", "zmq": "a", "from": "raw"},
                               {"name": "s", "mqtt": "b", "zmq": "b", "from": "raw"})"),
         "routes[1].from",
         {"found \"raw\"", "carry no key", "routes[0]"}},
        {"captures of keyless messages",
         config_with_routes(R"({"name": "r", "mqtt": "a/{x}", "zmq": "a.{x}", "from": "raw"})"),
         "routes[0].mqtt",
         {"with captures", "no key to fill them"}},
    };
    for (const Row& row : rows) expect_fault(row);
}

TEST(ConfigFaults, AllAtOnce) {
    const auto parsed = parse(R"({
        "endpoints": {
            "a": {"plugin": "mqtt", "lisen": ["x"], "max_connections": "x"},
            "b": {"plugin": "nothing"},
            "c": {"plugin": "zmq", "socket": "pub", "bind": ["tcp://0.0.0.0:1"]}},
        "routes": [{"nam": "x", "mqtt": "a", "zmq": "b", "to": "b"}, 5],
        "shards": "three", "log": {"level": 1}})");
    EXPECT_FALSE(parsed.config);
    for (const char* path :
         {"endpoints.a.lisen", "endpoints.a.listen", "endpoints.a.max_connections",
          "endpoints.b.plugin", "endpoints.c.bind[0]", "routes[0].nam", "routes[0].name",
          "routes[1]", "shards", "log.level"}) {
        EXPECT_TRUE(parsed.faults.knows(path)) << path << "\n" << parsed.text();
    }
    EXPECT_FALSE(parsed.faults.knows("routes[0].to"))
        << "an endpoint that is faulty is not unknown";
    EXPECT_NE(parsed.text().find("test.json: shards: found \"three\", expected an integer"),
              std::string::npos);
}

TEST(ConfigFaults, OneMistakeIsToldOnce) {
    const auto parsed = parse(
        R"({"endpoints": {},
            "admin": {"listen": "http://0.0.0.0:1", "token": "${file:/absent}"}})");
    EXPECT_EQ(parsed.faults.faults().size(), 1U) << parsed.text();
    EXPECT_TRUE(parsed.faults.knows("admin.token")) << parsed.text();
}

TEST(ConfigFaults, TextThatIsNotJson) {
    const std::pair<const char*, std::pair<int, int>> rows[] = {
        {"{\"endpoints\": {}} x", {1, 19}},
        {"{\n  \"a\": tru\n}", {2, 11}},
        {"", {1, 1}},
        {"{\n\n", {3, 1}},
        {"{\"a\": 1,}", {1, 9}},
        {"{'a': 1}", {1, 2}},
        {"{\"a\": \"\xff\"}", {1, 8}},
    };
    for (const auto& [text, where] : rows) {
        const auto parsed = parse(text);
        ASSERT_EQ(parsed.faults.faults().size(), 1U) << text;
        const auto& fault = parsed.faults.faults()[0];
        EXPECT_EQ(std::make_pair(fault.line, fault.column), where) << text << parsed.text();
        EXPECT_TRUE(fault.message.starts_with("not JSON: ")) << fault.message;
    }
    std::string deep(100, '[');
    EXPECT_NE(parse(deep).text().find("levels of nesting"), std::string::npos);
}

TEST(ConfigFaults, Warnings) {
    const auto parsed = parse(config_with_routes(
        R"({"name": "r", "mqtt": "a", "zmq": "a", "to": "jobs", "retain": true},
           {"name": "s", "mqtt": "b", "zmq": "b", "from": "ingest", "share": "g",
            "dead_letter": "d"})"));
    ASSERT_TRUE(parsed.config) << parsed.text();
    const std::string text = parsed.text();
    for (const char* line : {"test.json: warning: routes[0].retain: has no effect",
                             "test.json: warning: routes[1].share: has no effect",
                             "test.json: warning: routes[1].dead_letter: has no effect",
                             "test.json: warning: endpoints.telemetry: no route uses it"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
    }
    EXPECT_EQ(text.find("endpoints.devices"), std::string::npos) << text;
}

TEST(DidYouMean, NearWordsOnly) {
    const std::vector<std::string> words{"listen", "bind", "queue", "qos", "to"};
    EXPECT_EQ(did_you_mean("lisetn", words), " (did you mean \"listen\"?)");
    EXPECT_EQ(did_you_mean("lisen", words), " (did you mean \"listen\"?)");
    EXPECT_EQ(did_you_mean("bond", words), " (did you mean \"bind\"?)");
    EXPECT_EQ(did_you_mean("qso", words), " (did you mean \"qos\"?)");
    EXPECT_EQ(did_you_mean("zzzzzz", words), "");
    EXPECT_EQ(did_you_mean("", words), "");
    EXPECT_EQ(did_you_mean(std::string(10000, 'l'), words), "");
}

}  // namespace
}  // namespace trestle
