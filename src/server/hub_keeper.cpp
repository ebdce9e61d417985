#include "server/hub_keeper.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <utility>

#include "server/version.h"

namespace trestle {

namespace {

constexpr uint64_t kTickMs = 1000;
constexpr size_t kExpiredPerTick = 20'000;
constexpr double kMinutes[] = {1, 5, 15};

/// Of the process, in bytes: what is resident.
struct Memory {
    double now = 0;
    double most = 0;
};

Memory read_memory() {
    Memory memory;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        memory.most = static_cast<double>(usage.ru_maxrss) * 1024;
    }
    std::ifstream pages("/proc/self/statm");
    double whole = 0;
    double resident = 0;
    if (pages >> whole >> resident) {
        memory.now = resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
    }
    memory.most = std::max(memory.most, memory.now);  // the kernel counts the two apart
    return memory;
}

}  // namespace

HubKeeper::HubKeeper(Shard& shard, Metrics& metrics, uint32_t sys_interval_s)
    : shard_(shard),
      metrics_(metrics),
      interval_s_(sys_interval_s),
      started_ms_(shard.now_ms()),
      timer_(
          shard.timers(), [](void* self) { static_cast<HubKeeper*>(self)->tick(); }, this) {
    tick();
}

void HubKeeper::tick() {
    const uint64_t now = shard_.now_ms();
    timer_.set(now + kTickMs);
    shard_.hub().hub().retained().remove_expired(now, kExpiredPerTick);
    if (interval_s_ == 0 || now < next_sys_ms_) return;
    next_sys_ms_ = now + uint64_t{interval_s_} * 1000;
    publish_all();
    last_sys_ms_ = now;
}

void HubKeeper::publish_all() {
    read_ = metrics_.read();
    const auto seconds = (shard_.now_ms() - started_ms_) / 1000;
    publish("$SYS/broker/version", std::string("trestle version ") + program_version());
    publish("$SYS/broker/uptime", std::to_string(seconds) + " seconds");
    publish_clients();
    publish_traffic();
    publish("$SYS/broker/subscriptions/count", sum("trestle_subscriptions"));
    publish("$SYS/broker/shared_subscriptions/count", sum("trestle_shared_subscriptions"));
    const auto& retained = shard_.hub().hub().retained();
    const auto kept = static_cast<double>(retained.messages());
    publish("$SYS/broker/retained messages/count", kept);
    const double queued = sum("trestle_session_queue_messages") + sum("trestle_session_in_flight");
    publish("$SYS/broker/messages/stored", kept + queued);
    publish("$SYS/broker/store/messages/count", kept + queued);
    publish("$SYS/broker/store/messages/bytes",
            static_cast<double>(retained.bytes()) + sum("trestle_session_queue_bytes"));
    const Memory memory = read_memory();
    publish("$SYS/broker/heap/current", memory.now);
    publish("$SYS/broker/heap/maximum", memory.most);
    read_.clear();
}

void HubKeeper::publish_clients() {
    const double connected = sum("trestle_sessions", "state", "connected");
    const double away = sum("trestle_sessions", "state", "disconnected");
    most_clients_ = std::max(most_clients_, connected);
    publish("$SYS/broker/clients/connected", connected);
    publish("$SYS/broker/clients/active", connected);
    publish("$SYS/broker/clients/disconnected", away);
    publish("$SYS/broker/clients/inactive", away);
    publish("$SYS/broker/clients/total", connected + away);
    publish("$SYS/broker/clients/maximum", most_clients_);
    publish("$SYS/broker/clients/expired", sum("trestle_sessions_expired_total"));
}

// `messages` are packets of all kinds, `publish` those that carry messages; what comes from and
// goes to other protocols is among both.
void HubKeeper::publish_traffic() {
    const double received = sum("trestle_messages_received_total");
    const double sent = sum("trestle_messages_sent_total");
    const double received_bytes = sum("trestle_received_bytes_total");
    const double sent_bytes = sum("trestle_sent_bytes_total");
    const double control_bytes = sum("trestle_mqtt_control_received_bytes_total");
    const std::pair<const char*, double> all[] = {
        {"messages/received", received + sum("trestle_mqtt_control_packets_received_total")},
        {"messages/sent", sent + sum("trestle_mqtt_control_packets_sent_total")},
        {"bytes/received", received_bytes},
        {"bytes/sent", sent_bytes + sum("trestle_mqtt_control_sent_bytes_total")},
    };
    for (const auto& [name, total] : all) {
        publish(std::string("$SYS/broker/") + name, total);
        publish_load(name, total);
    }
    const double dropped = sum("trestle_messages_dropped_total");
    publish("$SYS/broker/publish/messages/received", received);
    publish("$SYS/broker/publish/messages/sent", sent);
    publish("$SYS/broker/publish/messages/dropped", dropped);
    publish("$SYS/broker/publish/bytes/received", received_bytes - control_bytes);
    publish("$SYS/broker/publish/bytes/sent", sent_bytes);
    publish_load("publish/received", received);
    publish_load("publish/sent", sent);
    publish_load("publish/dropped", dropped);
    publish_load("connections", sum("trestle_mqtt_connects_total"));
    publish_load("sockets", sum("trestle_mqtt_streams_total"));
}

void HubKeeper::publish_load(const std::string& name, double total) {
    Load& load = loads_[name];
    if (last_sys_ms_ != 0) {
        const double minutes = static_cast<double>(shard_.now_ms() - last_sys_ms_) / 60'000;
        const double rate = (total - load.last) / std::max(minutes, 1e-6);
        for (size_t i = 0; i < load.average.size(); ++i) {
            const double weight = std::exp(-minutes / kMinutes[i]);
            load.average[i] = rate * (1 - weight) + load.average[i] * weight;
        }
    }
    load.last = total;
    for (size_t i = 0; i < load.average.size(); ++i) {
        char text[32];
        std::snprintf(text, sizeof text, "%.2f", load.average[i]);
        publish("$SYS/broker/load/" + name + "/" + std::to_string(static_cast<int>(kMinutes[i])) +
                    "min",
                text);
    }
}

void HubKeeper::publish(std::string_view topic, double whole) {
    publish(topic, std::to_string(static_cast<int64_t>(whole)));
}

void HubKeeper::publish(std::string_view topic, const std::string& text) {
    // Unchanged values are not repeated, but for those that somebody has deleted.
    const auto kept = shard_.hub().hub().retained().current(topic, shard_.now_ms());
    if (kept && kept->view().payload == text) return;
    MessageView message;
    message.topic = topic;
    message.payload = text;
    message.retain = true;
    shard_.hub().publish(message, publisher_);
}

double HubKeeper::sum(std::string_view metric, std::string_view label,
                      std::string_view value) const {
    const auto family = std::ranges::find(read_, metric, &Metrics::Family::name);
    if (family == read_.end()) return 0;
    double total = 0;
    for (const auto& sample : family->samples) {
        const bool wanted = label.empty() || std::ranges::any_of(sample.labels, [&](const auto& l) {
                                return l.first == label && l.second == value;
                            });
        if (wanted) total += sample.value;
    }
    return total;
}

}  // namespace trestle
