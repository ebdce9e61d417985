#include "server/explain.h"

#include <algorithm>
#include <optional>

#include "core/mapping.h"
#include "core/topic.h"
#include "server/config.h"
#include "server/config_check_mappings.h"

namespace trestle {

namespace {

using Verdict = Explanation::Verdict;

std::optional<Mapping> compiled(const RouteConfig& route) {
    std::vector<MappingFault> faults, warnings;
    return Mapping::compile(mapping_spec(route), faults, warnings);
}

const std::string* excluding(const RouteConfig& route, std::string_view topic) {
    for (const auto& filter : route.exclude) {
        if (filter_matches(filter, topic)) return &filter;
    }
    return nullptr;
}

// What a ZeroMQ peer sees, by the endpoint's `format`; of a worker's REQUEST, the `body`.
std::vector<std::string> frames_of(const EndpointConfig& endpoint, const std::string& key) {
    std::string format;
    if (endpoint.kind.has_services) {
        format = endpoint.settings.has("body") ? endpoint.settings.string("body") : "full";
    } else if (endpoint.settings.has("format")) {
        format = endpoint.settings.string("format");
    } else {
        return {};
    }
    if (format == "payload") return {"<payload>"};
    const bool has_sequence =
        endpoint.settings.has("sequence") && endpoint.settings.boolean("sequence");
    if (format == "topic_payload" && has_sequence) return {key, "<sequence>", "<payload>"};
    if (format == "full") return {key, "<meta>", "<payload>"};
    if (format == "single") {
        const bool has = endpoint.settings.has("separator");
        return {key + (has ? endpoint.settings.string("separator") : "") + "<payload>"};
    }
    return {key, "<payload>"};
}

// Whether a message with the key comes in: a sub endpoint may ask for prefixes only.
bool asks_for(const EndpointConfig& source, std::string_view key) {
    if (!source.settings.has("subscribe")) return true;
    return std::ranges::any_of(source.settings.list("subscribe"),
                               [&](const auto& prefix) { return key.starts_with(prefix); });
}

struct Candidate {
    size_t index;  // into the explanations
    Mapping mapping;
};

// Of several routes to, or from, one endpoint the most specific delivers, the earlier one on a tie.
void overrule(std::vector<Explanation>& all, const std::vector<Candidate>& candidates,
              const char* what) {
    for (const Candidate& one : candidates) {
        for (const Candidate& other : candidates) {
            if (one.index == other.index || all[one.index].endpoint != all[other.index].endpoint) {
                continue;
            }
            const auto order = other.mapping.compare_specificity(one.mapping);
            if (order < 0 || (order == 0 && other.index > one.index)) continue;
            all[one.index].verdict = Verdict::overruled;
            all[one.index].why = "route " + all[other.index].route + " " + what +
                                 " the same endpoint and " +
                                 (order > 0 ? "is more specific" : "comes first");
        }
    }
}

}  // namespace

std::vector<Explanation> explain_topic(const Config& config, std::string_view topic) {
    std::vector<Explanation> all;
    std::vector<Candidate> candidates;
    for (const RouteConfig& route : config.routes) {
        const auto mapping = compiled(route);
        const EndpointConfig* endpoint = config.endpoint(route.to);
        if (!mapping || endpoint == nullptr) continue;
        Explanation one;
        one.route = route.name;
        one.endpoint = route.to;
        if (!mapping->to_zmq(topic, one.result)) {
            one.why = mapping->explain_topic_miss(topic);
        } else if (const std::string* filter = excluding(route, topic)) {
            one.verdict = Verdict::excluded;
            one.why = "exclude has " + *filter;
        } else {
            one.verdict = Verdict::matches;
            one.is_service = endpoint->kind.has_services;
            if (endpoint->kind.terminates_keys) one.result.push_back('\0');
            one.frames = frames_of(*endpoint, one.result);
            if (route.share.empty()) {
                candidates.push_back({all.size(), *mapping});
            } else {
                one.shared_filter = "$share/" + route.share + "/" + mapping->mqtt_filter();
            }
        }
        all.push_back(std::move(one));
    }
    overrule(all, candidates, "goes to");
    return all;
}

std::vector<Explanation> explain_key(const Config& config, std::string_view endpoint,
                                     std::string_view key) {
    std::vector<Explanation> all;
    std::vector<Candidate> candidates;
    const EndpointConfig* source = config.endpoint(endpoint);
    if (source == nullptr) return all;
    const bool arrives = source->kind.needs_fixed_topic || asks_for(*source, key);
    for (const RouteConfig& route : config.routes) {
        const auto mapping = compiled(route);
        if (!mapping || route.from != endpoint) continue;
        Explanation one;
        one.route = route.name;
        one.endpoint = route.from;
        // Messages without a key count as having the route's own.
        const std::string_view asked = source->kind.needs_fixed_topic ? route.zmq : key;
        if (!mapping->to_mqtt(asked, one.result)) {
            one.why = mapping->explain_key_miss(asked);
        } else if (const std::string* filter = excluding(route, one.result)) {
            one.verdict = Verdict::excluded;
            one.why = "exclude has " + *filter;
        } else if (!arrives) {
            one.why = "the endpoint does not subscribe to the key";
        } else {
            one.verdict = Verdict::matches;
            candidates.push_back({all.size(), *mapping});
        }
        all.push_back(std::move(one));
    }
    overrule(all, candidates, "comes from");
    return all;
}

}  // namespace trestle
