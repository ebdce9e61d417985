#include "server/config_check.h"

#include <algorithm>
#include <map>

#include "plugin_api/uri.h"
#include "server/config.h"
#include "server/config_check_mappings.h"
#include "server/config_check_routes.h"
#include "server/config_faults.h"

namespace trestle {

namespace {

struct Listening {
    std::string path;
    std::string text;
    Uri uri;
};

// An address that the plugin has not complained about itself.
void take_address(const std::string& path, const std::string& text, std::vector<Listening>& all,
                  ConfigFaults& faults) {
    ParsedUri parsed = parse_uri(text);
    if (parsed.uri) {
        all.push_back({path, text, std::move(*parsed.uri)});
    } else if (!faults.knows(path)) {
        faults.fault(path, "found \"" + text + "\", which " + parsed.fault +
                               ", expected an address such as tcp://127.0.0.1:5556");
    }
}

void check_open(const Listening& listening, bool is_allowed, const char* remedy,
                ConfigFaults& faults) {
    if (is_allowed || is_loopback(listening.uri) || faults.knows(listening.path)) return;
    faults.fault(listening.path, "found \"" + listening.text +
                                     "\", which others than this machine can reach, " + remedy);
}

void check_collisions(const std::vector<Listening>& all, ConfigFaults& faults) {
    // By port first: a file may hold a thousand listeners.
    std::multimap<std::string, const Listening*> seen;
    for (const Listening& one : all) {
        const std::string group =
            one.uri.is_local ? "/" + one.uri.path : std::to_string(one.uri.port);
        const auto [first, last] = seen.equal_range(group);
        const auto other = std::find_if(
            first, last, [&](const auto& entry) { return collide(entry.second->uri, one.uri); });
        if (other != last) {
            faults.fault(one.path, "found \"" + one.text + "\", but " + other->second->path +
                                       " listens there already (\"" + other->second->text +
                                       "\"), expected another address");
        }
        seen.emplace(group, &one);
    }
}

void check_http(const std::string& path, const std::string& text, std::vector<Listening>& all,
                ConfigFaults& faults) {
    if (text.empty()) return;
    const size_t before = all.size();
    take_address(path, text, all, faults);
    if (all.size() == before) return;
    const Uri& uri = all.back().uri;
    if (uri.scheme != "http" || !(uri.path.empty() || uri.path == "/")) {
        faults.fault(path,
                     "found \"" + text + "\", expected an address such as http://127.0.0.1:8080");
    }
}

// One that no client could send would lock everybody out. Not shown: it is a secret.
void check_token(const std::string& token, ConfigFaults& faults) {
    const bool has_control = std::ranges::any_of(
        token, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (!has_control && !token.starts_with(' ') && !token.ends_with(' ')) return;
    faults.fault("admin.token",
                 "found a control character in it, or a space at an end, expected a token that an "
                 "HTTP header can carry");
}

void check_listeners(const Config& config, ConfigFaults& faults) {
    std::vector<Listening> all;
    for (const EndpointConfig& endpoint : config.endpoints) {
        for (const char* key : {"listen", "bind"}) {
            if (!endpoint.settings.has(key)) continue;
            const std::string path = join_path(join_path("endpoints", endpoint.name), key);
            const size_t before = all.size();
            const auto& addresses = endpoint.settings.list(key);
            for (size_t i = 0; i < addresses.size(); ++i) {
                take_address(join_path(path, i), addresses[i], all, faults);
            }
            for (size_t i = before; i < all.size(); ++i) {
                check_open(all[i], endpoint.anonymous() || endpoint.kind.authenticates,
                           "expected a loopback address, authentication, or \"anonymous\": true",
                           faults);
            }
        }
    }
    const AdminConfig& admin = config.admin;
    check_token(admin.token, faults);
    const size_t before = all.size();
    check_http("admin.listen", admin.listen, all, faults);
    if (all.size() > before) {
        check_open(all.back(),
                   admin.anonymous || !admin.token.empty() || faults.knows("admin.token"),
                   "expected a loopback address, a \"token\", or \"anonymous\": true", faults);
    }
    check_http("admin.probe_listen", admin.probe_listen, all, faults);
    check_collisions(all, faults);
}

}  // namespace

void check_config(const Config& config, const std::vector<std::string>& faulty_endpoints,
                  ConfigFaults& faults) {
    check_listeners(config, faults);
    check_routes(config, faulty_endpoints, faults);
    check_mappings(config, faults);
}

}  // namespace trestle
