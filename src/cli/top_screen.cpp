#include "cli/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace trestle {

namespace {

using nlohmann::json;

double number(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

/// "0", "12.3", "1,234", "56.7k", "8.9M": never wider than six characters.
std::string rate(double value) {
    if (value <= 0) return "0";
    if (value < 9.95) return fmt::format("{:.1f}", value);
    if (value < 9999.5) {
        const auto whole = static_cast<int>(value + 0.5);
        return whole < 1000 ? std::to_string(whole)
                            : fmt::format("{},{:03}", whole / 1000, whole % 1000);
    }
    if (value < 999'950) return fmt::format("{:.1f}k", value / 1e3);
    return value < 999'950'000 ? fmt::format("{:.1f}M", value / 1e6)
                               : fmt::format("{:.1f}G", value / 1e9);
}

/// A number of things.
std::string count(double value) {
    return value > 0 && value < 9.95 ? std::to_string(static_cast<int>(value)) : rate(value);
}

std::string bytes(double value) {
    if (value < 1024) return fmt::format("{:.0f} B", value);
    if (value < 1024 * 1024) return fmt::format("{:.1f} KiB", value / 1024);
    if (value < 1024.0 * 1024 * 1024) return fmt::format("{:.1f} MiB", value / (1024 * 1024));
    return fmt::format("{:.1f} GiB", value / (1024.0 * 1024 * 1024));
}

/// Cut to a column's width; whole characters of names in ASCII, which config names are.
std::string cut(const std::string& text, size_t width) {
    if (text.size() <= width) return text;
    std::string shorter(text, 0, width - 1);
    shorter.push_back('~');
    return shorter;
}

struct Change {
    const json& before;
    const json& now;
    double seconds;

    [[nodiscard]] Change in(const char* group, const std::string& name) const {
        static const json kNothing = json::object();
        const auto part = [&](const json& all) -> const json& {
            const auto found = all.find(group);
            if (found == all.end()) return kNothing;
            const auto one = found->find(name);
            return one == found->end() ? kNothing : *one;
        };
        return {part(before), part(now), seconds};
    }
    [[nodiscard]] double per_second(const char* key) const {
        return std::max(0.0, number(now, key) - number(before, key)) / seconds;
    }
    [[nodiscard]] std::map<std::string, double> drops() const {
        std::map<std::string, double> rates;
        const auto dropped = now.find("dropped");
        if (dropped == now.end() || !dropped->is_object()) return rates;
        const json old = before.value("dropped", json::object());
        for (const auto& [reason, count] : dropped->items()) {
            const double value = (count.get<double>() - old.value(reason, 0.0)) / seconds;
            if (value > 0) rates[reason] += value;
        }
        return rates;
    }
};

double sum(const std::map<std::string, double>& rates) {
    double total = 0;
    for (const auto& [reason, value] : rates) total += value;
    return total;
}

/// The bound below which 99 of 100 waits of this interval lie: "<1 ms", ">60 s", "-" without any.
std::string p99(const Change& route, const json& bounds) {
    const json now = route.now.value("waits", json::array());
    const json before = route.before.value("waits", json::array());
    std::vector<double> fresh;
    double total = 0;
    for (size_t i = 0; i < now.size(); ++i) {
        fresh.push_back(now[i].get<double>() - (i < before.size() ? before[i].get<double>() : 0));
        total += fresh.back();
    }
    if (total <= 0) return "-";
    double below = 0;
    for (size_t i = 0; i < bounds.size() && i < fresh.size(); ++i) {
        below += fresh[i];
        const auto bound = bounds[i].get<double>();
        if (below < 0.99 * total) continue;
        return bound < 1 ? fmt::format("<{:g} ms", bound * 1000) : fmt::format("<{:g} s", bound);
    }
    return ">60 s";
}

void add_endpoints(const Change& all, std::vector<std::string>& lines,
                   std::map<std::string, double>& drops) {
    lines.push_back(fmt::format("{:<20} {:<10} {:>7} {:>7} {:>7} {:>9} {:>9} {:>8}", "ENDPOINT",
                                "STATE", "PEERS", "IN/s", "OUT/s", "IN FLIGHT", "QUEUED",
                                "DROPS/s"));
    for (const auto& [name, figures] : all.now.at("endpoints").items()) {
        const Change one = all.in("endpoints", name);
        const auto dropped = one.drops();
        for (const auto& [reason, value] : dropped) drops[reason] += value;
        const bool ready = figures.value("not_ready", "").empty();
        lines.push_back(fmt::format("{:<20} {:<10} {:>7} {:>7} {:>7} {:>9} {:>9} {:>8}",
                                    cut(name, 20), ready ? "ready" : "not ready",
                                    count(number(figures, "peers")),
                                    rate(one.per_second("received")), rate(one.per_second("sent")),
                                    count(number(figures, "in_flight")),
                                    count(number(figures, "queue_messages")), rate(sum(dropped))));
    }
}

void add_routes(const Change& all, std::vector<std::string>& lines) {
    if (all.now.at("routes").empty()) return;
    lines.emplace_back();
    lines.push_back(fmt::format("{:<20} {:>7} {:>7} {:>7} {:>9} {:>10} {:>9} {:>8} {:>8}", "ROUTE",
                                "IN/s", "OUT/s", "ACKED/s", "QUEUED", "BYTES", "REFUSED/s",
                                "DROPS/s", "WAIT P99"));
    for (const auto& [name, figures] : all.now.at("routes").items()) {
        const Change one = all.in("routes", name);
        lines.push_back(
            fmt::format("{:<20} {:>7} {:>7} {:>7} {:>9} {:>10} {:>9} {:>8} {:>8}", cut(name, 20),
                        rate(one.per_second("received")), rate(one.per_second("sent")),
                        rate(one.per_second("acked")), count(number(figures, "queue_messages")),
                        bytes(number(figures, "queue_bytes")), rate(one.per_second("refused")),
                        rate(one.per_second("dropped")),
                        p99(one, all.now.value("wait_bounds_s", json::array()))));
    }
}

}  // namespace

std::vector<std::string> top_screen(const json& before, const json& now) {
    const double ms = number(now, "steady_ms") - number(before, "steady_ms");
    const Change all{before, now, std::max(ms, 1.0) / 1000};
    double received = 0, sent = 0;
    for (const auto& [name, figures] : now.at("endpoints").items()) {
        const Change one = all.in("endpoints", name);
        received += one.per_second("received");
        sent += one.per_second("sent");
    }
    const json sessions = now.value("sessions", json::object());
    std::vector<std::string> lines{
        fmt::format("trestle {}   in {}/s   out {}/s   loop lag {:.1f} ms",
                    now.value("version", ""), rate(received), rate(sent),
                    number(now, "event_loop_lag_s") * 1000),
        fmt::format("{} clients, {} away   {} subscriptions   {} retained ({})",
                    count(number(sessions, "connected")), count(number(sessions, "disconnected")),
                    count(number(now, "subscriptions")), count(number(now, "retained_messages")),
                    bytes(number(now, "retained_bytes"))),
        ""};
    std::map<std::string, double> drops;
    add_endpoints(all, lines, drops);
    add_routes(all, lines);
    lines.emplace_back();
    std::string text = "drops/s:";
    for (const auto& [reason, value] : drops) text += " " + reason + " " + rate(value);
    lines.push_back(drops.empty() ? "no drops" : text);
    return lines;
}

}  // namespace trestle
