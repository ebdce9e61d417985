#include "server/config_check_mappings.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "core/mapping.h"
#include "core/route_graph.h"
#include "core/topic.h"
#include "plugin_api/uri.h"
#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

namespace {

std::string sentence_of(const MappingFault& fault) {
    std::string text = fault.sentence;
    if (fault.example) {
        const bool is_topics = fault.example->kind == CounterExample::Kind::topics_share_key;
        text += is_topics ? " (the topics \"" : " (the keys \"";
        text +=
            fault.example->first + "\" and \"" + fault.example->second + "\" would both become ";
        text += (is_topics ? "key \"" : "topic \"") + fault.example->shared + "\")";
    }
    return text;
}

std::vector<Uri> addresses(const EndpointConfig& endpoint, const char* key) {
    std::vector<Uri> all;
    if (!endpoint.settings.has(key)) return all;
    for (const auto& text : endpoint.settings.list(key)) {
        if (auto parsed = parse_uri(text); parsed.uri) all.push_back(std::move(*parsed.uri));
    }
    return all;
}

struct Addresses {
    std::vector<Uri> bound, connected;
};

bool has_meeting(const std::vector<Uri>& connected, const std::vector<Uri>& bound) {
    for (const Uri& from : connected) {
        for (const Uri& to : bound) {
            if (collide(from, to)) return true;
        }
    }
    return false;
}

// Endpoints of this very server of which one connects to the other.
std::vector<EndpointWire> endpoint_wires(const Config& config) {
    std::vector<Addresses> all;
    for (const EndpointConfig& endpoint : config.endpoints) {
        all.push_back({addresses(endpoint, "bind"), addresses(endpoint, "connect")});
    }
    std::vector<EndpointWire> wires;
    for (size_t s = 0; s < all.size(); ++s) {
        if (!config.endpoints[s].kind.takes_routes) continue;
        for (size_t r = 0; r < all.size(); ++r) {
            if (config.endpoints[r].kind.gives_messages &&
                (has_meeting(all[s].connected, all[r].bound) ||
                 has_meeting(all[r].connected, all[s].bound))) {
                wires.push_back({config.endpoints[s].name, config.endpoints[r].name});
            }
        }
    }
    return wires;
}

/// A reload examines them on the main thread, which answers probes too.
constexpr size_t kMostSnapshotPairs = 500'000;

class MappingChecker {
 public:
    MappingChecker(const Config& config, ConfigFaults& faults) : config_(config), faults_(faults) {}

    void check() {
        for (size_t i = 0; i < config_.routes.size(); ++i) {
            const RouteConfig& route = config_.routes[i];
            const std::string path = join_path("routes", i);
            auto mapping = compile(route, path);
            excludes(route, path, mapping);
            dead_letter(route, path);
            order_key(route, path);
            service(route, path);
            if (!mapping) continue;
            prefix(route, path, *mapping);
            mappings_.emplace_back(i, std::move(*mapping));
        }
        snapshots();
        table();
    }

 private:
    std::optional<Mapping> compile(const RouteConfig& route, const std::string& path) {
        // A template that is missing or empty is a fault already, and so is a route that leads
        // nowhere.
        if (route.mqtt.empty() || route.zmq.empty() || (route.to.empty() && route.from.empty())) {
            return std::nullopt;
        }
        std::vector<MappingFault> faults, warnings;
        auto mapping = Mapping::compile(mapping_spec(route), faults, warnings);
        auto found = [&](const MappingFault& fault) {
            return "found \"" + (fault.side == "mqtt" ? route.mqtt : route.zmq) +
                   "\": " + sentence_of(fault);
        };
        const char* why =
            route.snapshot ? "; with \"snapshot\" each topic needs a key of its own" : "";
        for (const auto& fault : faults) {
            faults_.fault(join_path(path, fault.side), found(fault) + why);
        }
        for (const auto& warning : warnings) {
            faults_.warning(join_path(path, warning.side), found(warning));
        }
        return mapping;
    }

    void excludes(const RouteConfig& route, const std::string& path,
                  const std::optional<Mapping>& mapping) {
        for (size_t i = 0; i < route.exclude.size(); ++i) {
            const std::string& filter = route.exclude[i];
            const std::string at = join_path(join_path(path, "exclude"), i);
            if (!is_valid_topic_filter(filter)) {
                faults_.fault(at,
                              "found \"" + filter +
                                  "\", expected an MQTT topic filter such as sensors/+/debug/#");
            } else if (mapping && !filters_overlap(filter, mapping->mqtt_filter())) {
                faults_.warning(at,
                                "has no effect: no topic of the route matches \"" + filter + "\"");
            }
        }
    }

    void dead_letter(const RouteConfig& route, const std::string& path) {
        if (route.dead_letter.empty()) return;
        if (is_valid_topic_name(route.dead_letter) && !route.dead_letter.starts_with('$')) return;
        faults_.fault(join_path(path, "dead_letter"),
                      "found \"" + route.dead_letter +
                          "\", expected a topic without wildcards that does not start with $");
    }

    void order_key(const RouteConfig& route, const std::string& path) {
        if (route.key.empty() || route.mqtt.empty()) return;
        std::vector<MappingFault> faults, warnings, of_topic;
        Mapping::compile({route.mqtt, "any", true, false}, of_topic, warnings);
        if (!of_topic.empty()) return;  // told already
        // A capture that the topic does not have counts as a fault of the topic.
        Mapping::compile({route.mqtt, route.key, true, false}, faults, warnings);
        for (const auto& fault : faults) {
            faults_.fault(join_path(path, "key"),
                          "found \"" + route.key + "\": " + sentence_of(fault));
        }
    }

    // No worker can offer these.
    void service(const RouteConfig& route, const std::string& path) {
        const EndpointConfig* to = config_.endpoint(route.to);
        if (to == nullptr || !to->kind.has_services) return;
        if (!route.zmq.starts_with("mqtt.") && !route.zmq.starts_with("mmi.")) return;
        faults_.fault(join_path(path, "zmq"),
                      "found \"" + route.zmq +
                          "\", expected another name of a service: mqtt.* and mmi.* are the "
                          "gateway's own");
    }

    void prefix(const RouteConfig& route, const std::string& path, const Mapping& mapping) {
        const EndpointConfig* to = config_.endpoint(route.to);
        if (to == nullptr || !to->kind.prefix_matched || to->kind.terminates_keys ||
            !mapping.key_is_prefix_ambiguous())
            return;
        faults_.warning(join_path(path, "zmq"),
                        "found \"" + route.zmq +
                            "\", whose keys can be prefixes of each other, as sensor.1 is of "
                            "sensor.10: who subscribes to one also gets the other; a terminator at "
                            "the end prevents it (\"" +
                            route.zmq + ".\", or \"terminator\": \"nul\" of the endpoint)");
    }

    // Routes with snapshots to one endpoint: the older of two topics' retained messages could come
    // last under the key that they share.
    void snapshots() {
        std::vector<const std::pair<size_t, Mapping>*> found;
        for (const auto& one : mappings_) {
            const RouteConfig& route = config_.routes[one.first];
            if (route.snapshot && !route.to.empty()) found.push_back(&one);
        }
        // Keys can only be the same where one literal head begins with the other.
        std::ranges::stable_sort(found, {},
                                 [](const auto* one) { return one->second.zmq_prefix(); });
        size_t told = 0, examined = 0;
        for (size_t a = 0; a < found.size(); ++a) {
            const std::string head = found[a]->second.zmq_prefix();
            for (size_t b = a + 1; b < found.size(); ++b) {
                if (!found[b]->second.zmq_prefix().starts_with(head)) break;
                if (++examined > kMostSnapshotPairs) return tell_unexamined();
                if (!share_snapshot_keys(*found[a], *found[b])) continue;
                if (++told > kMaxSharedPairs) return;
                tell_shared_key(*found[a], *found[b]);
            }
        }
    }

    void tell_unexamined() {
        faults_.warning("routes",
                        "not all pairs of routes with \"snapshot\" were examined for keys "
                        "that they share: too many have keys that begin alike");
    }

    [[nodiscard]] bool share_snapshot_keys(const std::pair<size_t, Mapping>& a,
                                           const std::pair<size_t, Mapping>& b) const {
        if (config_.routes[a.first].to != config_.routes[b.first].to) return false;
        if (!a.second.keys_overlap(b.second)) return false;
        // With topics in common the key may be one of the same topic.
        return !a.second.topics_overlap(b.second) || differ(a.second, b.second) ||
               differ(b.second, a.second);
    }

    // Whether a topic of the one, any, has a key that the other gives to another topic.
    static bool differ(const Mapping& one, const Mapping& other) {
        const std::string topic = one.sample_topic();
        std::string key, back;
        return one.to_zmq(topic, key) && other.to_mqtt(key, back) && back != topic;
    }

    void tell_shared_key(const std::pair<size_t, Mapping>& a, const std::pair<size_t, Mapping>& b) {
        const size_t first = std::min(a.first, b.first), second = std::max(a.first, b.first);
        const RouteConfig& route = config_.routes[second];
        faults_.warning(join_path(join_path("routes", second), "zmq"),
                        "found \"" + route.zmq + "\", which gives keys that route \"" +
                            config_.routes[first].name +
                            "\" gives to other topics: with \"snapshot\" of both, who subscribes "
                            "to one gets the retained messages of both, and the older may come "
                            "last");
    }

    // What the routes do to each other.
    void table() {
        std::vector<GraphRule> rules;
        for (const auto& [i, mapping] : mappings_) {
            const RouteConfig& route = config_.routes[i];
            const bool is_topic = is_valid_topic_name(route.dead_letter);
            const EndpointConfig* source = config_.endpoint(route.from);
            rules.push_back({.name = route.name,
                             .mapping = &mapping,
                             .from = route.from,
                             .to = route.to,
                             .dead_letter = is_topic ? route.dead_letter : std::string(),
                             .exclude = {},
                             .is_shared = !route.share.empty(),
                             .takes_any_key = source != nullptr && source->kind.needs_fixed_topic});
            std::copy_if(route.exclude.begin(), route.exclude.end(),
                         std::back_inserter(rules.back().exclude), is_valid_topic_filter);
        }
        for (const RouteFinding& finding : examine_routes(rules, endpoint_wires(config_))) {
            std::string path = "routes";
            if (!finding.rules.empty()) path = join_path(path, mappings_[finding.rules[0]].first);
            if (finding.kind == RouteFinding::Kind::dead_letter)
                path = join_path(path, "dead_letter");
            if (finding.is_fault) {
                faults_.fault(path, finding.sentence);
            } else {
                faults_.warning(path, finding.sentence);
            }
        }
    }

    const Config& config_;
    ConfigFaults& faults_;
    std::vector<std::pair<size_t, Mapping>> mappings_;  // with the route's place in the config
};

}  // namespace

MappingSpec mapping_spec(const RouteConfig& route) {
    // With a key for two topics, the older of their retained messages could come last.
    return {route.mqtt, route.zmq, !route.to.empty(), !route.from.empty() || route.snapshot};
}

void check_mappings(const Config& config, ConfigFaults& faults) {
    MappingChecker(config, faults).check();
}

}  // namespace trestle
