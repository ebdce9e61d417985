#include "server/config.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/config_check.h"
#include "server/config_faults.h"
#include "server/config_options.h"
#include "server/config_shown.h"
#include "server/config_validate.h"

namespace trestle {

namespace {

using nlohmann::json;

constexpr size_t kMostEndpoints = 1024;
constexpr size_t kMostRoutes = 10'000;
constexpr const char* kNameRule =
    "lower-case letters, digits, _ and -, at most 64, starting with a letter or digit";

// Turns validated settings into structs. What is faulty is left out.
class Loader {
 public:
    Loader(const ConfigText& text, PluginCatalog& plugins, ConfigFaults& faults)
        : text_(text), plugins_(plugins), faults_(faults) {}

    Config take(const std::string& file) {
        Config config;
        config.file = file;
        const json& root = *text_.root;
        top(root, config);
        if (!root.is_object()) return config;
        if (const auto given = root.find("endpoints"); given != root.end()) {
            endpoints(*given, config);
        } else {
            faults_.fault("endpoints", "found nothing, expected an object of endpoints by name");
        }
        if (const auto given = root.find("routes"); given != root.end()) routes(*given, config);
        return config;
    }

    static AdminConfig admin_of(const Settings& settings) {
        AdminConfig admin;
        if (settings.has("listen")) admin.listen = settings.string("listen");
        if (settings.has("probe_listen")) admin.probe_listen = settings.string("probe_listen");
        if (settings.has("token")) admin.token = settings.string("token");
        admin.anonymous = settings.boolean("anonymous");
        admin.max_tails = settings.integer("max_tails");
        admin.tail_rate = settings.integer("tail_rate");
        return admin;
    }

    // Names of endpoints that the file has but that are faulty: a route that names one of them is
    // not to be blamed.
    [[nodiscard]] const std::vector<std::string>& faulty_endpoints() const { return faulty_; }

 private:
    void top(const json& root, Config& config) {
        std::vector<Option> options = top_options();
        // Described for the sake of unknown keys and guesses; read elsewhere.
        options.push_back(Option::object("endpoints", kEndpointsHelp, {}));
        options.push_back(Option::object("routes", kRoutesHelp, {}));
        json rest = root;
        if (rest.is_object()) {
            rest.erase("endpoints");
            rest.erase("routes");
        }
        const Settings settings = validate(rest, "", options, text_.replaced, faults_).settings;
        config.shards = settings.integer("shards");
        config.drain_timeout_ms = settings.integer("drain_timeout_ms");
        config.log = {settings.object("log").string("level"),
                      settings.object("log").string("format")};
        config.admin = admin_of(settings.object("admin"));
        const Settings& hub = settings.object("hub");
        config.hub = {hub.integer("max_retained_messages"), hub.integer("max_retained_bytes"),
                      hub.integer("max_session_bytes"), hub.integer("sys_interval_s")};
    }

    void endpoints(const json& given, Config& config) {
        if (!given.is_object()) {
            faults_.fault("endpoints", "found " + shown_value(given, "endpoints", text_.replaced) +
                                           ", expected an object of endpoints by name");
            return;
        }
        if (given.size() > kMostEndpoints) {
            faults_.fault("endpoints", "found " + std::to_string(given.size()) +
                                           " endpoints, expected at most " +
                                           std::to_string(kMostEndpoints));
            return;
        }
        for (const auto& [name, value] : given.items()) {
            const std::string path = join_path("endpoints", name);
            if (!is_config_name(name)) {
                std::string sentence = "found this name, expected ";
                sentence += kNameRule;
                faults_.fault(path, sentence);
            }
            EndpointConfig endpoint;
            endpoint.name = name;
            if (one_endpoint(value, path, endpoint)) {
                config.endpoints.push_back(std::move(endpoint));
            } else {
                faulty_.push_back(name);
            }
        }
    }

    bool one_endpoint(const json& value, const std::string& path, EndpointConfig& endpoint) {
        const PluginOptions* plugin = find_plugin(value, path, endpoint.plugin);
        if (plugin == nullptr) return false;
        const auto options = endpoint_options({endpoint.plugin}, plugin->options);
        Validated validated = validate(value, path, options, text_.replaced, faults_);
        endpoint.settings = std::move(validated.settings);
        if (!validated.is_complete) return false;
        FaultsBelow below(faults_, path);
        if (plugin->check != nullptr) plugin->check(endpoint.settings, below);
        if (plugin->kind != nullptr) endpoint.kind = plugin->kind(endpoint.settings);
        return true;
    }

    const PluginOptions* find_plugin(const json& value, const std::string& path,
                                     std::string& name) {
        if (!value.is_object()) {
            faults_.fault(path, "found " + shown_value(value, path, text_.replaced) +
                                    ", expected an object { ... }");
            return nullptr;
        }
        const std::string at = join_path(path, "plugin");
        const auto given = value.find("plugin");
        const auto names = plugins_.names();
        if (given == value.end() || !given->is_string()) {
            const std::string found =
                given == value.end() ? "nothing" : shown_value(*given, at, text_.replaced);
            faults_.fault(at, "found " + found + ", expected " + one_of_text(names));
            return nullptr;
        }
        name = given->get<std::string>();
        const std::string shown = shown_value(*given, at, text_.replaced);
        // Only names that are there are looked up: a name is never a path.
        if (std::find(names.begin(), names.end(), name) != names.end()) {
            std::string problem;
            if (const PluginOptions* plugin = plugins_.find(name, problem)) return plugin;
            faults_.fault(at, "found " + shown + ", which cannot be used: " + problem);
        } else if (names.empty()) {
            faults_.fault(at, "found " + shown + ", but no plugin is installed");
        } else {
            faults_.fault(at, "found " + shown + ", expected " + one_of_text(names) +
                                  did_you_mean(name, names));
        }
        return nullptr;
    }

    void routes(const json& given, Config& config) {
        if (!given.is_array()) {
            faults_.fault("routes", "found " + shown_value(given, "routes", text_.replaced) +
                                        ", expected a list of routes [ { ... } ]");
            return;
        }
        if (given.size() > kMostRoutes) {
            faults_.fault("routes", "found " + std::to_string(given.size()) +
                                        " routes, expected at most " + std::to_string(kMostRoutes));
            return;
        }
        const auto options = route_options();
        for (size_t i = 0; i < given.size(); ++i) {
            const std::string path = join_path("routes", i);
            Validated validated = validate(given[i], path, options, text_.replaced, faults_);
            config.routes.push_back(route_of(validated.settings));
            const RouteConfig& route = config.routes.back();
            if (!route.name.empty() && !is_config_name(route.name)) {
                faults_.fault(join_path(path, "name"),
                              "found \"" + route.name + "\", expected " + kNameRule);
            } else if (route.name.empty() && validated.settings.given("name")) {
                faults_.fault(join_path(path, "name"),
                              std::string("found \"\", expected ") + kNameRule);
            }
        }
    }

    static RouteConfig route_of(const Settings& settings) {
        auto text = [&](const char* key) {
            return settings.has(key) ? settings.string(key) : std::string();
        };
        RouteConfig route;
        route.name = text("name");
        route.description = text("description");
        route.mqtt = text("mqtt");
        route.zmq = text("zmq");
        route.to = text("to");
        route.from = text("from");
        if (settings.has("exclude")) route.exclude = settings.list("exclude");
        if (settings.has("qos")) {
            route.qos_in = route.qos_out = static_cast<int>(settings.integer("qos"));
        }
        route.retain = settings.boolean("retain");
        route.worker_acks = settings.string("ack") == "worker";
        route.timeout_ms = settings.integer("timeout_ms");
        const Settings& queue = settings.object("queue");
        route.queue.max_messages = queue.integer("max_messages");
        route.queue.max_bytes = queue.integer("max_bytes");
        if (queue.has("when_full")) route.queue.when_full = queue.string("when_full");
        route.queue.block_ms = queue.integer("block_ms");
        route.snapshot = settings.boolean("snapshot");
        route.no_receiver = settings.string("no_receiver");
        route.share = text("share");
        route.dead_letter = text("dead_letter");
        route.key = text("key");
        return route;
    }

    const ConfigText& text_;
    PluginCatalog& plugins_;
    ConfigFaults& faults_;
    std::vector<std::string> faulty_;
};

}  // namespace

const EndpointConfig* Config::endpoint(std::string_view name) const {
    const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                    [&](const EndpointConfig& e) { return e.name == name; });
    return found == endpoints.end() ? nullptr : &*found;
}

std::optional<Config> Config::load(const std::string& file, const std::vector<std::string>& sets,
                                   PluginCatalog& plugins, ConfigFaults& faults) {
    const auto text = read_config_file(file, faults);
    if (!text) return std::nullopt;
    return parse(*text, file, sets, Surroundings::of_process(file), plugins, faults);
}

std::optional<Config> Config::parse(std::string_view text, const std::string& file,
                                    const std::vector<std::string>& sets,
                                    const Surroundings& surroundings, PluginCatalog& plugins,
                                    ConfigFaults& faults) {
    const ConfigText parsed = parse_config_text(text, sets, surroundings, faults);
    if (!parsed.root) return std::nullopt;
    Loader loader(parsed, plugins, faults);
    Config config = loader.take(file);
    check_config(config, loader.faulty_endpoints(), faults);
    if (faults.any()) return std::nullopt;
    config.shown = config_shown(*parsed.root, parsed.replaced);
    return config;
}

std::optional<AdminConfig> Config::load_admin(const std::string& file,
                                              const std::vector<std::string>& sets,
                                              ConfigFaults& faults) {
    const auto text = read_config_file(file, faults);
    if (!text) return std::nullopt;
    const ConfigText parsed =
        parse_config_text(*text, sets, Surroundings::of_process(file), faults);
    if (!parsed.root) return std::nullopt;
    ConfigFaults ours(file);
    json admin = json::object();
    if (parsed.root->is_object() && parsed.root->contains("admin")) admin = (*parsed.root)["admin"];
    const auto top = top_options();
    const auto described = std::find_if(
        top.begin(), top.end(), [](const Option& option) { return option.name == "admin"; });
    const auto validated = validate(admin, "admin", described->fields, parsed.replaced, ours);
    for (const auto& fault : ours.faults()) faults.fault(fault.path, fault.message);
    const bool is_faulty =
        std::any_of(faults.faults().begin(), faults.faults().end(),
                    [](const ConfigFault& fault) { return fault.path.starts_with("admin"); });
    if (is_faulty) return std::nullopt;
    return Loader::admin_of(validated.settings);
}

std::optional<std::string> default_config_file() {
    for (const char* file : {"./trestle.json", "/etc/trestle/trestle.json"}) {
        std::error_code ignored;
        if (std::filesystem::exists(file, ignored)) return file;
    }
    return std::nullopt;
}

}  // namespace trestle
