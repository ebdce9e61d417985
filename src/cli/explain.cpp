#include <algorithm>
#include <ostream>

#include "cli/commands.h"
#include "core/topic.h"
#include "core/utf8.h"
#include "server/config.h"
#include "server/config_faults.h"
#include "server/explain.h"

namespace trestle {

namespace {

using Verdict = Explanation::Verdict;

// A long routing table has many routes that have nothing to do with the question.
constexpr size_t kMostMisses = 10;

// Keys are bytes: what a terminal would not show is written as \xNN.
std::string printable(std::string_view bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\\') {
            text += "\\\\";
        } else if (byte < 0x20 || byte == 0x7f) {
            text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            text += c;
        }
    }
    return text;
}

std::optional<Config> load(const ConfigArguments& arguments, PluginCatalog& plugins,
                           std::ostream& err) {
    ConfigFaults faults(arguments.file);
    auto config = Config::load(arguments.file, arguments.sets, plugins, faults);
    if (!config) {
        for (const auto& line : faults.lines()) err << line << "\n";
    }
    return config;
}

void print_match(const Explanation& one, const Config& config, bool is_topic, std::ostream& out) {
    const RouteConfig& route = *std::find_if(config.routes.begin(), config.routes.end(),
                                             [&](const auto& r) { return r.name == one.route; });
    out << "route " << one.route << ": matches\n";
    out << "  template: " << (is_topic ? route.mqtt : route.zmq) << " -> "
        << (is_topic ? route.zmq : route.mqtt) << "\n";
    if (!is_topic) {
        out << "  topic: " << one.result << "\n";
        out << "  qos: " << route.qos_in << (route.retain ? ", retained" : "") << "\n";
        return;
    }
    out << "  endpoint: " << one.endpoint << "\n";
    if (!one.shared_filter.empty()) out << "  shares: " << one.shared_filter << "\n";
    out << "  key: " << printable(one.result) << "\n";
    if (one.is_service) {
        out << "  service: " << printable(one.result) << "\n";
        out << "  ack: " << (route.worker_acks ? "worker" : "accepted") << "\n";
    }
    if (one.frames.empty()) return;
    out << "  frames:";
    for (const auto& frame : one.frames) out << " [" << printable(frame) << "]";
    out << "\n";
}

void print_rest(const Explanation& one, std::ostream& out) {
    const char* verdict = one.verdict == Verdict::overruled  ? "overruled"
                          : one.verdict == Verdict::excluded ? "excluded"
                                                             : "does not match";
    out << "route " << one.route << ": " << verdict << "\n  why: " << one.why << "\n";
}

void print_all(const std::vector<Explanation>& all, const Config& config, bool is_topic,
               std::ostream& out) {
    size_t matching = 0, misses = 0;
    for (const auto& one : all) {
        if (one.verdict != Verdict::matches) continue;
        print_match(one, config, is_topic, out);
        ++matching;
    }
    for (const auto& one : all) {
        if (one.verdict == Verdict::matches) continue;
        if (one.verdict == Verdict::misses && ++misses > kMostMisses) continue;
        print_rest(one, out);
    }
    if (misses > kMostMisses) {
        out << "and " << misses - kMostMisses << " more that do not match\n";
    }
    if (matching == 0) {
        out << "no route takes it"
            << (is_topic ? ": only subscribers get it\n" : ": dropped, counted as no_route\n");
    }
}

}  // namespace

int explain_topic_command(const ConfigArguments& arguments, const std::string& topic,
                          PluginCatalog& plugins, std::ostream& out, std::ostream& err) {
    const auto config = load(arguments, plugins, err);
    if (!config) return kWrongUse;
    if (!is_valid_topic_name(topic) || !is_valid_mqtt_utf8(topic)) {
        err << "trestle explain: found \"" << printable(topic)
            << "\", expected a topic name (no wildcards, at most 65535 bytes of UTF-8)\n";
        return kWrongUse;
    }
    out << "topic: " << topic << "\n";
    print_all(explain_topic(*config, topic), *config, true, out);
    return kFine;
}

int explain_key_command(const ConfigArguments& arguments, const std::string& endpoint,
                        const std::string& key, PluginCatalog& plugins, std::ostream& out,
                        std::ostream& err) {
    const auto config = load(arguments, plugins, err);
    if (!config) return kWrongUse;
    const EndpointConfig* source = config->endpoint(endpoint);
    if (source == nullptr || !source->kind.gives_messages) {
        std::vector<std::string> names;
        for (const auto& one : config->endpoints) {
            if (one.kind.gives_messages) names.push_back(one.name);
        }
        err << "trestle explain: found \"" << endpoint << "\", expected "
            << (names.empty()
                    ? "an endpoint that gives messages, of which the config has none"
                    : "the endpoint " + one_of_text(names) + did_you_mean(endpoint, names))
            << "\n";
        return kWrongUse;
    }
    out << "endpoint: " << endpoint << "\nkey: " << printable(key) << "\n";
    print_all(explain_key(*config, endpoint, key), *config, false, out);
    return kFine;
}

}  // namespace trestle
