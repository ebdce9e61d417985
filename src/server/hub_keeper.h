// What the hub needs done by the clock: expired retained messages are removed, and the `$SYS`
// topics tell the gateway's figures, with the names that MQTT tools know from mosquitto.
//
// Made by the gateway; lives on the first shard and is made, used and destroyed there.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "core/timer_queue.h"
#include "plugin_api/metrics.h"
#include "plugin_api/shard.h"

namespace trestle {

class HubKeeper {
 public:
    /// `sys_interval_s` 0: no `$SYS` topics.
    HubKeeper(Shard& shard, Metrics& metrics, uint32_t sys_interval_s);
    HubKeeper(const HubKeeper&) = delete;

 private:
    /// A rate per minute, averaged over 1, 5 and 15 minutes.
    struct Load {
        double last = 0;
        std::array<double, 3> average{};
    };
    void tick();
    void publish_all();
    void publish_clients();
    void publish_traffic();
    void publish(std::string_view topic, const std::string& text);
    void publish(std::string_view topic, double whole);
    void publish_load(const std::string& name, double total);
    [[nodiscard]] double sum(std::string_view metric, std::string_view label = {},
                             std::string_view value = {}) const;

    Shard& shard_;
    Metrics& metrics_;
    uint32_t interval_s_;
    uint64_t started_ms_;
    uint64_t next_sys_ms_ = 0;
    uint64_t last_sys_ms_ = 0;
    double most_clients_ = 0;
    std::vector<Metrics::Family> read_;
    std::map<std::string, Load> loads_;
    Publisher publisher_;
    Timer timer_;
};

}  // namespace trestle
