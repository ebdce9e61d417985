#include "server/config_diff.h"

#include <map>

#include "server/config.h"

namespace trestle {

namespace {

constexpr const char* kRestart = "cannot change while running, needs a restart";

class Comparison {
 public:
    Comparison(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

    ConfigDiff compare() {
        routes();
        endpoints();
        number("shards", running_.shards, wanted_.shards);
        number("drain_timeout_ms", running_.drain_timeout_ms, wanted_.drain_timeout_ms);
        number("hub.max_retained_messages", running_.hub.max_retained_messages,
               wanted_.hub.max_retained_messages);
        number("hub.max_retained_bytes", running_.hub.max_retained_bytes,
               wanted_.hub.max_retained_bytes);
        number("hub.max_session_bytes", running_.hub.max_session_bytes,
               wanted_.hub.max_session_bytes);
        number("hub.sys_interval_s", running_.hub.sys_interval_s, wanted_.hub.sys_interval_s);
        text("log.level", running_.log.level, wanted_.log.level);
        text("log.format", running_.log.format, wanted_.log.format);
        text("admin.listen", running_.admin.listen, wanted_.admin.listen);
        text("admin.probe_listen", running_.admin.probe_listen, wanted_.admin.probe_listen);
        number("admin.max_tails", running_.admin.max_tails, wanted_.admin.max_tails);
        number("admin.tail_rate", running_.admin.tail_rate, wanted_.admin.tail_rate);
        if (running_.admin.anonymous != wanted_.admin.anonymous) {
            diff_.needs_restart.push_back({"admin.anonymous", kRestart});
        }
        if (running_.admin.token != wanted_.admin.token) {
            diff_.needs_restart.push_back({"admin.token", kRestart});  // a secret: not shown
        }
        return std::move(diff_);
    }

 private:
    void restart(const std::string& path, const std::string& now, const std::string& then) {
        diff_.needs_restart.push_back(
            {path, "found " + then + ", but " + now + " is running: " + kRestart});
    }

    void number(const std::string& path, int64_t now, int64_t then) {
        if (now != then) restart(path, std::to_string(now), std::to_string(then));
    }

    void text(const std::string& path, const std::string& now, const std::string& then) {
        auto shown = [](const std::string& s) { return s.empty() ? "nothing" : "\"" + s + "\""; };
        if (now != then) restart(path, shown(now), shown(then));
    }

    void routes() {
        std::map<std::string_view, const RouteConfig*> before;
        for (const auto& route : running_.routes) before.emplace(route.name, &route);
        std::map<std::string_view, const RouteConfig*> after;
        std::vector<std::string_view> kept_after;
        for (const auto& route : wanted_.routes) {
            after.emplace(route.name, &route);
            const auto old = before.find(route.name);
            if (old == before.end()) {
                diff_.added.push_back(route.name);
                continue;
            }
            kept_after.push_back(route.name);
            if (*old->second != route) diff_.changed.push_back(route.name);
        }
        std::vector<std::string_view> kept_before;
        for (const auto& route : running_.routes) {
            if (after.contains(route.name)) {
                kept_before.push_back(route.name);
            } else {
                diff_.removed.push_back(route.name);
            }
        }
        diff_.is_reordered = kept_before != kept_after;
    }

    void endpoints() {
        for (const auto& wanted : wanted_.endpoints) {
            const std::string path = join_path("endpoints", wanted.name);
            const EndpointConfig* now = running_.endpoint(wanted.name);
            if (now == nullptr) {
                diff_.needs_restart.push_back(
                    {path, std::string("is new: an endpoint ") + kRestart});
            } else if (now->plugin != wanted.plugin) {
                text(join_path(path, "plugin"), now->plugin, wanted.plugin);
            } else {
                for (const auto& key : now->settings.differences(wanted.settings)) {
                    diff_.needs_restart.push_back({path + "." + key, kRestart});
                }
            }
        }
        for (const auto& now : running_.endpoints) {
            if (wanted_.endpoint(now.name) == nullptr) {
                diff_.needs_restart.push_back({join_path("endpoints", now.name),
                                               std::string("is gone: an endpoint ") + kRestart});
            }
        }
    }

    const Config& running_;
    const Config& wanted_;
    ConfigDiff diff_;
};

}  // namespace

bool ConfigDiff::empty() const {
    return added.empty() && removed.empty() && changed.empty() && !is_reordered &&
           needs_restart.empty();
}

ConfigDiff compare_configs(const Config& running, const Config& wanted) {
    return Comparison(running, wanted).compare();
}

}  // namespace trestle
