#include "server/server.h"

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <optional>
#include <ostream>
#include <utility>

#include "server/api/admin_api.h"
#include "server/config.h"
#include "server/config_diff.h"
#include "server/config_faults.h"
#include "server/descriptor_limit.h"
#include "server/exporter.h"
#include "server/gateway.h"
#include "server/http_server.h"
#include "server/log_spdlog.h"
#include "server/plugin_loader.h"
#include "server/probes.h"
#include "server/router.h"
#include "server/service_manager.h"
#include "server/version.h"

namespace trestle {

namespace {

/// Who asks /healthz is to start the process anew: not for a shard that is merely busy.
constexpr auto kDeadLag = std::chrono::seconds(30);

// Every connection is a descriptor: take what the system lets us have.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Of this thread, which is the last one.
void block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// One run of the program.
class Server final : public ApiHost {
 public:
    Server(Config config, std::vector<std::string> sets, PluginLoader& plugins)
        : config_(std::move(config)),
          sets_(std::move(sets)),
          plugins_(plugins),
          sink_(SpdlogSink::to_stdout(config_.log.format == "json" ? LogFormat::json
                                                                   : LogFormat::text)),
          log_(*sink_, "server"),
          metrics_(static_cast<size_t>(config_.shards)),
          http_(io_, router_),
          probe_http_(io_, probe_router_),
          signals_(io_, SIGTERM, SIGINT, SIGHUP),
          watchdog_(io_) {
        sink_->set_level(log_level_from(config_.log.level).value_or(LogLevel::info));
    }

    /// `warnings` are those of the config.
    int run(const std::vector<ConfigFault>& warnings);

 private:
    void add_metrics();
    bool open_admin();
    void await_signal();
    void on_signal(int signal);
    void feed_watchdog();
    void stop();
    ReloadOutcome change_config();
    ReloadOutcome reload_failed(std::vector<std::string> lines);

    // ApiHost
    boost::asio::io_context& io() override { return io_; }
    const Config& config() override { return config_; }
    Gateway* gateway() override { return is_running_ ? &*gateway_ : nullptr; }
    Metrics& metrics() override { return metrics_; }
    LogSink& log_sink() override { return *sink_; }
    ReloadOutcome reload() override;
    void drain() override {
        if (!gateway_->is_stopping()) stop();
    }

    Config config_;  // as started, with the routes of the last reload
    std::vector<std::string> sets_;
    PluginLoader& plugins_;
    std::unique_ptr<SpdlogSink> sink_;
    Log log_;
    Metrics metrics_;
    boost::asio::io_context io_{1};
    Router router_, probe_router_;
    HttpServer http_, probe_http_;
    boost::asio::signal_set signals_;
    ServiceManager service_manager_;
    boost::asio::steady_timer watchdog_;
    std::optional<Gateway> gateway_;
    Counter* reloads_ok_ = nullptr;
    Counter* reloads_failed_ = nullptr;
    Gauge* reload_ok_ = nullptr;
    Gauge* reload_time_ = nullptr;
    bool is_running_ = false;
    bool was_told_to_end_ = false;  // by a signal
    std::optional<AdminApi> api_;
};

void Server::add_metrics() {
    add_build_info(metrics_, program_version(), program_commit());
    const auto reloads = [this](const char* result) {
        return &metrics_.counter("trestle_config_reloads_total", "Config reloads, by result",
                                 {{"result", result}});
    };
    reloads_ok_ = reloads("ok");
    reloads_failed_ = reloads("failed");
    reload_ok_ = &metrics_.gauge("trestle_config_last_reload_successful",
                                 "1 when the last load of the config succeeded, else 0");
    reload_time_ = &metrics_.gauge("trestle_config_last_reload_success_timestamp_seconds",
                                   "When the config was last loaded, seconds since 1970");
    reload_ok_->set(metrics_.outside(), 1);
    reload_time_->set(metrics_.outside(), std::time(nullptr));
}

bool Server::open_admin() {
    const auto not_alive = [this] {
        return gateway_ ? gateway_->hung_shards(kDeadLag) : std::vector<std::string>{};
    };
    const auto not_ready = [this] {
        return gateway_ ? gateway_->not_ready() : std::vector<std::string>{"starting"};
    };
    add_probes(router_, metrics_, not_alive, not_ready);
    add_probes(probe_router_, metrics_, not_alive, not_ready);
    if (!config_.admin.listen.empty()) api_.emplace(router_, static_cast<ApiHost&>(*this));
    if (!config_.admin.token.empty()) {
        auto open = AdminApi::open_paths();
        open.insert(open.end(), {"/healthz", "/readyz"});
        router_.ask_token(config_.admin.token, std::move(open));
    }
    const auto open = [this](HttpServer& server, const std::string& address, const char* what) {
        if (address.empty()) return true;
        const std::string problem = server.listen(address);
        if (!problem.empty()) {
            log_.error("{}: {}", what, problem);
            return false;
        }
        log_.info("{} on {}", what, address);
        return true;
    };
    return open(http_, config_.admin.listen, "admin") &&
           open(probe_http_, config_.admin.probe_listen, "probes");
}

int Server::run(const std::vector<ConfigFault>& warnings) {
    log_.info("trestle {} (commit {}), config {}", program_version(), program_commit(),
              config_.file);
    for (const auto& warning : warnings) log_.warn("{}: {}", warning.path, warning.message);
    if (const auto few = too_few_descriptors(config_); !few.empty()) log_.warn("{}", few);
    add_metrics();
    if (!open_admin()) return 1;
    gateway_.emplace(config_, plugins_, *sink_, metrics_);
    try {
        gateway_->start();
    } catch (const std::exception& problem) {
        log_.error("cannot start: {}", problem.what());
        gateway_->stop_and_wait();
        return 1;
    }
    log_.info("ready: {} endpoints, {} routes, {} shards", config_.endpoints.size(),
              config_.routes.size(), config_.shards);
    is_running_ = true;
    await_signal();
    feed_watchdog();
    service_manager_.ready("ready");
    io_.run();
    // The end is near: a signal that comes now must not change its status.
    block_signals();
    log_.info("stopped");
    return 0;
}

void Server::await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        on_signal(signal);
        await_signal();
    });
}

void Server::on_signal(int signal) {
    if (signal == SIGHUP) {
        if (gateway_->is_stopping()) return log_.warn("reload ignored: the gateway is draining");
        reload();
        return;
    }
    // An orchestrator may ask for draining by the API and then send the signal: that is no hurry.
    const bool is_again = std::exchange(was_told_to_end_, true);
    if (!gateway_->is_stopping()) return stop();
    if (!is_again) return log_.info("stopping: draining already");
    log_.warn("stopping at once: told a second time");
    gateway_->cut_short();
}

// The watchdog is fed only while all shards run: one that hangs has the service started anew.
void Server::feed_watchdog() {
    const auto limit = service_manager_.watchdog();
    if (!limit) return;
    if (gateway_->hung_shards(*limit / 4).empty()) service_manager_.alive();
    watchdog_.expires_after(*limit / 4);
    watchdog_.async_wait([this](const boost::system::error_code& error) {
        if (!error) feed_watchdog();
    });
}

void Server::stop() {
    constexpr auto kSlack = std::chrono::seconds(5);  // beyond draining
    service_manager_.stopping(std::chrono::milliseconds(config_.drain_timeout_ms) + kSlack);
    log_.info("stopping: draining for at most {} ms", config_.drain_timeout_ms);
    gateway_->stop(io_, static_cast<uint64_t>(config_.drain_timeout_ms), [this] {
        http_.stop();
        probe_http_.stop();
        io_.stop();
    });
}

ReloadOutcome Server::reload_failed(std::vector<std::string> lines) {
    reloads_failed_->add(metrics_.outside());
    reload_ok_->set(metrics_.outside(), 0);
    for (const auto& line : lines) log_.error("reload: {}", line);
    log_.error("reload refused: the running config stays");
    return {std::move(lines), {}};
}

ReloadOutcome Server::reload() {
    service_manager_.reloading();
    ReloadOutcome outcome = change_config();
    service_manager_.ready(outcome.faults.empty() ? "ready" : "ready; reload refused");
    return outcome;
}

ReloadOutcome Server::change_config() {
    ConfigFaults faults(config_.file);
    auto wanted = Config::load(config_.file, sets_, plugins_, faults);
    if (!wanted) return reload_failed(faults.lines());
    const ConfigDiff diff = compare_configs(config_, *wanted);
    if (!diff.needs_restart.empty()) {
        std::vector<std::string> lines;
        for (const auto& fault : diff.needs_restart)
            lines.push_back(fault.path + ": " + fault.message);
        return reload_failed(std::move(lines));
    }
    for (const auto& warning : faults.warnings()) {
        log_.warn("reload: {}: {}", warning.path, warning.message);
    }
    try {
        gateway_->change_routes(*wanted);
    } catch (const std::exception& problem) {
        return reload_failed({problem.what()});
    }
    config_.routes = std::move(wanted->routes);
    config_.shown = std::move(wanted->shown);
    reloads_ok_->add(metrics_.outside());
    reload_ok_->set(metrics_.outside(), 1);
    reload_time_->set(metrics_.outside(), std::time(nullptr));
    log_.info("reloaded: {} routes added, {} removed, {} changed", diff.added.size(),
              diff.removed.size(), diff.changed.size());
    return {{}, diff};
}

}  // namespace

int serve(const std::string& file, const std::vector<std::string>& sets, PluginLoader& plugins,
          std::ostream& err) {
    ConfigFaults faults(file);
    auto config = Config::load(file, sets, plugins, faults);
    if (!config) {
        for (const auto& line : faults.lines()) err << line << '\n';
        return 2;
    }
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    return Server(std::move(*config), sets, plugins).run(faults.warnings());
}

}  // namespace trestle
