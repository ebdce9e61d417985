#include "fake_plugins.h"

namespace trestle::test {

namespace {

PluginOptions mqtt() {
    PluginOptions plugin;
    plugin.options = {
        Option::string_list("listen", "Addresses").between(1, 16).required().shown_as("mqtt://x:1"),
        Option::integer("max_connections", "Most connections").between(1, 1'000'000).fallback(1000),
        Option::integer("receive_maximum", "In flight").between(1, 65535).fallback(100),
        Option::number("load_factor", "A share").between(0, 1).fallback(0.5),
        Option::boolean("retain_available", "A switch").fallback(true),
        Option::object("session", "Limits",
                       {Option::integer("max_queued", "Most").between(1, 100000).fallback(20000)})};
    plugin.kind = [](const Settings&) { return EndpointKind{}; };
    return plugin;
}

PluginOptions zmq() {
    PluginOptions plugin;
    plugin.options = {Option::string("socket", "Kind")
                          .one_of({"pub", "push", "pull", "sub", "router"})
                          .required(),
                      Option::string_list("bind", "Addresses"),
                      Option::string_list("connect", "Addresses"),
                      Option::string("format", "Frames")
                          .one_of({"topic_payload", "single", "payload", "full"})
                          .fallback("topic_payload"),
                      Option::string("separator", "Between key and payload"),
                      Option::string("secret", "A password")};
    plugin.check = [](const Settings& settings, FaultSink& faults) {
        if (!settings.given("bind") && !settings.given("connect")) {
            faults.fault("", "found neither \"bind\" nor \"connect\", expected one of them");
        }
        if (settings.string("format") == "single" && !settings.given("separator")) {
            faults.fault("separator", "found nothing, expected a string");
        }
    };
    plugin.kind = [](const Settings& settings) {
        const std::string& socket = settings.string("socket");
        const bool takes = socket == "pub" || socket == "push" || socket == "router";
        return EndpointKind{.takes_routes = takes,
                            .gives_messages = !takes,
                            .needs_fixed_topic = !takes && settings.string("format") == "payload",
                            .prefix_matched = socket == "pub",
                            .shares_jobs = socket == "push" || socket == "router",
                            .worker_acks = socket == "router"};
    };
    return plugin;
}

PluginOptions websocket() {
    PluginOptions plugin;
    plugin.options = {Option::string_list("listen", "Addresses").required(),
                      Option::string("path", "Request path"),
                      Option::object("mqtt", "MQTT over WebSocket", mqtt().options)};
    plugin.options.back().fields.erase(plugin.options.back().fields.begin());
    plugin.kind = [](const Settings&) { return EndpointKind{}; };
    return plugin;
}

}  // namespace

FakePlugins::FakePlugins() {
    plugins_.emplace("mqtt", mqtt());
    plugins_.emplace("websocket", websocket());
    plugins_.emplace("zmq", zmq());
}

const PluginOptions* FakePlugins::find(std::string_view name, std::string& problem) {
    if (name == "broken") problem = "it comes from another build";
    const auto found = plugins_.find(name);
    return found == plugins_.end() ? nullptr : &found->second;
}

std::vector<std::string> FakePlugins::names() { return {"broken", "mqtt", "websocket", "zmq"}; }

std::string Parsed::text() const {
    std::string all;
    for (const auto& line : faults.lines()) all += line + "\n";
    return all;
}

Parsed parse(const std::string& text, const Setting& setting) {
    Surroundings surroundings;
    surroundings.environment = [&](const std::string& name) -> std::optional<std::string> {
        const auto found = setting.environment.find(name);
        if (found == setting.environment.end()) return std::nullopt;
        return found->second;
    };
    surroundings.variables = setting.variables;
    surroundings.folder = setting.folder;
    FakePlugins plugins;
    Parsed parsed;
    parsed.config =
        Config::parse(text, "test.json", setting.sets, surroundings, plugins, parsed.faults);
    return parsed;
}

std::string config_with_routes(const std::string& routes) {
    return R"({"endpoints": {
      "devices": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1883"]},
      "telemetry": {"plugin": "zmq", "socket": "pub", "bind": ["tcp://127.0.0.1:5556"]},
      "jobs": {"plugin": "zmq", "socket": "push", "bind": ["tcp://127.0.0.1:5557"]},
      "workers": {"plugin": "zmq", "socket": "router", "bind": ["tcp://127.0.0.1:5558"]},
      "ingest": {"plugin": "zmq", "socket": "pull", "bind": ["tcp://127.0.0.1:5559"]},
      "raw": {"plugin": "zmq", "socket": "pull", "format": "payload",
              "bind": ["tcp://127.0.0.1:5560"]}},
      "routes": [)" +
           routes + "]}";
}

}  // namespace trestle::test
