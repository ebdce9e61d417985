// Any bytes as a config file: no crash, no endless loop, and what passes is a whole Config that
// compares equal to itself and can be asked.
#include <cstdint>
#include <cstdlib>

#include "server/config.h"
#include "server/config_diff.h"
#include "server/config_faults.h"
#include "server/explain.h"

namespace {

using namespace trestle;

class Plugins : public PluginCatalog {
 public:
    Plugins() {
        plugin_.options = {
            Option::string_list("bind", "Addresses").between(1, 4).required(),
            Option::string("socket", "Kind").one_of({"pub", "pull", "router"}).fallback("pub"),
            Option::string("format", "Frames").one_of({"payload", "full"}).fallback("full"),
            Option::integer("hwm", "Messages").between(1, 1000).fallback(10),
            Option::number("share", "Share").between(0, 1).fallback(0.5),
            Option::object("queue", "Limits", {Option::boolean("on", "Switch").required()})};
        plugin_.check = [](const Settings& settings, FaultSink& faults) {
            if (settings.list("bind").empty()) faults.fault("bind", "found an empty list");
        };
        plugin_.kind = [](const Settings& settings) {
            const bool is_pull = settings.string("socket") == "pull";
            return EndpointKind{.takes_routes = !is_pull,
                                .gives_messages = is_pull,
                                .needs_fixed_topic = settings.string("format") == "payload",
                                .prefix_matched = settings.string("socket") == "pub",
                                .shares_jobs = settings.string("socket") == "router",
                                .worker_acks = settings.string("socket") == "router"};
        };
    }
    const PluginOptions* find(std::string_view name, std::string&) override {
        return name == "zmq" ? &plugin_ : nullptr;
    }
    std::vector<std::string> names() override { return {"zmq"}; }

 private:
    PluginOptions plugin_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    // Reading whatever file comes out would make runs depend on the machine.
    if (text.find("file:") != std::string_view::npos) return 0;
    // What follows the first NUL is a --set.
    std::vector<std::string> sets;
    if (const size_t mark = text.find('\0'); mark != std::string_view::npos) {
        sets.emplace_back(text.substr(mark + 1));
        text = text.substr(0, mark);
    }
    Surroundings surroundings;
    surroundings.environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "A") return "1";
        return std::nullopt;
    };
    surroundings.folder = "/nowhere";
    static Plugins plugins;
    ConfigFaults faults("fuzz.json");
    const auto config = Config::parse(text, "fuzz.json", sets, surroundings, plugins, faults);
    if (config.has_value() == faults.any()) std::abort();
    for (const auto& line : faults.lines()) {
        if (line.empty()) std::abort();
    }
    if (!config) return 0;
    if (!compare_configs(*config, *config).empty()) std::abort();
    (void)explain_topic(*config, "a/b");
    for (const auto& endpoint : config->endpoints) (void)explain_key(*config, endpoint.name, "a.b");
    return 0;
}
