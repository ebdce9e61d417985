// What the admin API asks of its server, without one: an empty config, no log, no endpoints.
#pragma once

#include <boost/asio/io_context.hpp>

#include "plugin_api/log.h"
#include "plugin_api/metrics.h"
#include "server/api/api_host.h"
#include "server/config.h"

namespace trestle::test {

class NoLog final : public LogSink {
    void write(LogLevel, std::string_view, std::string_view) override {}
};

/// A server that is still starting: it has no gateway.
class FakeHost : public ApiHost {
 public:
    boost::asio::io_context& io() override { return io_; }
    const Config& config() override { return config_; }
    Gateway* gateway() override { return nullptr; }
    Metrics& metrics() override { return metrics_; }
    LogSink& log_sink() override { return log_; }
    ReloadOutcome reload() override { return {}; }
    void drain() override {}

 protected:
    boost::asio::io_context io_{1};
    Config config_;
    Metrics metrics_{1};
    NoLog log_;
};

}  // namespace trestle::test
