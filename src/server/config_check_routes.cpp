#include "server/config_check_routes.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

namespace {

enum class End { to, from };

bool can(const EndpointConfig& endpoint, End end) {
    return end == End::to ? endpoint.kind.takes_routes : endpoint.kind.gives_messages;
}

class RouteChecker {
 public:
    RouteChecker(const Config& config, const std::vector<std::string>& faulty, ConfigFaults& faults)
        : config_(config), faulty_(faulty), faults_(faults) {}

    void check() {
        for (size_t i = 0; i < config_.routes.size(); ++i) {
            const RouteConfig& route = config_.routes[i];
            const std::string path = join_path("routes", i);
            check_name(route, path);
            if (route.to.empty() && route.from.empty()) {
                faults_.fault(path,
                              "found neither \"to\" nor \"from\", expected at least one of them");
            }
            const EndpointConfig* to = check_end(route.to, End::to, join_path(path, "to"));
            const EndpointConfig* from = check_end(route.from, End::from, join_path(path, "from"));
            check_ack(route, to, path);
            check_direction(route, to, path);
            check_subscribers(route, to, path);
            check_share(route, to, path);
            if (from != nullptr) takers_[from->name].push_back(i);
            if (to != nullptr) used_[to->name] = true;
        }
        check_fixed_topics();
        check_unused();
    }

 private:
    void check_name(const RouteConfig& route, const std::string& path) {
        if (route.name.empty()) return;
        const auto [first, is_new] = names_.emplace(route.name, path);
        if (!is_new) {
            faults_.fault(join_path(path, "name"), "found \"" + route.name + "\", which " +
                                                       first->second +
                                                       " has already, expected a name of its own");
        }
    }

    const EndpointConfig* check_end(const std::string& name, End end, const std::string& path) {
        if (name.empty()) return nullptr;
        const EndpointConfig* endpoint = config_.endpoint(name);
        if (endpoint == nullptr) {
            if (std::find(faulty_.begin(), faulty_.end(), name) != faulty_.end()) return nullptr;
            faults_.fault(path, "found \"" + name + "\", expected " + fitting(end) +
                                    did_you_mean(name, names_of_endpoints()));
            return nullptr;
        }
        if (can(*endpoint, end)) return endpoint;
        faults_.fault(path,
                      "found \"" + name + "\", an endpoint that " +
                          (end == End::to ? "takes no routes" : "gives no messages to routes") +
                          ", expected " + fitting(end));
        return nullptr;
    }

    [[nodiscard]] std::vector<std::string> names_of_endpoints() const {
        std::vector<std::string> names = faulty_;
        for (const auto& endpoint : config_.endpoints) names.push_back(endpoint.name);
        return names;
    }

    // Those that could stand there, or what kind of endpoint is missing.
    [[nodiscard]] std::string fitting(End end) const {
        std::vector<std::string> names;
        for (const auto& endpoint : config_.endpoints) {
            if (can(endpoint, end)) names.push_back(endpoint.name);
        }
        if (!names.empty()) return "the endpoint " + one_of_text(names);
        return end == End::to ? "an endpoint that takes routes (ZeroMQ pub, push or router)"
                              : "an endpoint that gives messages (ZeroMQ sub or pull)";
    }

    void check_ack(const RouteConfig& route, const EndpointConfig* to, const std::string& path) {
        if (!route.worker_acks || (to != nullptr && to->kind.worker_acks)) return;
        if (to == nullptr && !route.to.empty()) return;  // said already, or not to be told
        faults_.fault(join_path(path, "ack"),
                      "found \"worker\", expected \"accepted\" for a route that " +
                          (to == nullptr ? std::string("has no \"to\"")
                                         : "goes to \"" + to->name +
                                               "\": only workers behind a router endpoint reply"));
    }

    // Options that would have no effect are a misunderstanding.
    void check_direction(const RouteConfig& route, const EndpointConfig* to,
                         const std::string& path) {
        if (route.retain && route.from.empty() && !route.to.empty()) {
            faults_.warning(
                join_path(path, "retain"),
                "has no effect: only messages from ZeroMQ become retained, and the route "
                "has no \"from\"");
        }
        const auto no_effect = [&](const char* key, bool given, const char* why) {
            if (given) faults_.warning(join_path(path, key), std::string("has no effect: ") + why);
        };
        const bool inward_only = route.to.empty() && !route.from.empty();
        const char* no_to = "the route takes nothing from MQTT, it has no \"to\"";
        no_effect("share", inward_only && !route.share.empty(), no_to);
        if (to != nullptr ? to->kind.has_services : !inward_only) return;
        no_effect("dead_letter", !route.dead_letter.empty(),
                  inward_only ? no_to : "only jobs for workers behind a router are given up");
        no_effect("key", !route.key.empty(),
                  inward_only ? no_to : "only jobs for workers behind a router are kept in order");
    }

    void check_subscribers(const RouteConfig& route, const EndpointConfig* to,
                           const std::string& path) {
        if (to == nullptr ? !route.to.empty() : to->kind.prefix_matched) return;
        const auto warn = [&](const char* key, bool is_given) {
            if (!is_given) return;
            faults_.warning(
                join_path(path, key),
                "has no effect: only subscribers of a pub endpoint say what they ask for");
        };
        warn("no_receiver", route.no_receiver != "accept");
        warn("snapshot", route.snapshot);
    }

    void check_share(const RouteConfig& route, const EndpointConfig* to, const std::string& path) {
        if (!route.share.empty() && to != nullptr && !to->kind.shares_jobs) {
            faults_.fault(join_path(path, "share"),
                          "found on a route to \"" + to->name +
                              "\", whose peers all get each message, expected it on a route to an "
                              "endpoint of which one peer gets each (push or router)");
        }
        // [MQTT-4.8.2-2]
        if (route.share.find_first_of("/+#") == std::string::npos &&
            route.share.find('\0') == std::string::npos) {
            return;
        }
        faults_.fault(join_path(path, "share"),
                      "found \"" + route.share + "\", expected a group name without /, + and #");
    }

    void check_fixed_topics() {
        for (const auto& [name, routes] : takers_) {
            const EndpointConfig* endpoint = config_.endpoint(name);
            if (!endpoint->kind.needs_fixed_topic) continue;
            for (size_t n = 1; n < routes.size(); ++n) {
                faults_.fault(join_path(join_path("routes", routes[n]), "from"),
                              "found \"" + name +
                                  "\", whose messages carry no key and already go to " +
                                  join_path("routes", routes[0]) + ", expected another endpoint");
            }
            for (const size_t i : routes) {
                for (const auto& [key, text] : {std::pair{"mqtt", &config_.routes[i].mqtt},
                                                std::pair{"zmq", &config_.routes[i].zmq}}) {
                    if (text->find('{') == std::string::npos) continue;
                    faults_.fault(join_path(join_path("routes", i), key),
                                  "found \"" + *text +
                                      "\" with captures, expected none: messages of \"" + name +
                                      "\" carry no key to fill them");
                }
            }
        }
    }

    void check_unused() {
        for (const auto& endpoint : config_.endpoints) {
            if (endpoint.kind.has_services) continue;
            const bool is_for_routes = endpoint.kind.takes_routes || endpoint.kind.gives_messages;
            if (is_for_routes && !used_.contains(endpoint.name) &&
                !takers_.contains(endpoint.name)) {
                faults_.warning(join_path("endpoints", endpoint.name),
                                "no route uses it, so no message comes in or goes out there");
            }
        }
    }

    const Config& config_;
    const std::vector<std::string>& faulty_;
    ConfigFaults& faults_;
    std::map<std::string, std::string, std::less<>> names_;           // route -> path
    std::map<std::string, std::vector<size_t>, std::less<>> takers_;  // endpoint -> routes from it
    std::map<std::string, bool, std::less<>> used_;  // endpoint -> a route goes there
};

}  // namespace

void check_routes(const Config& config, const std::vector<std::string>& faulty_endpoints,
                  ConfigFaults& faults) {
    RouteChecker(config, faulty_endpoints, faults).check();
}

}  // namespace trestle
