// What operators see of a router's workers.
#include <algorithm>

#include "zmq/router_endpoint.h"

namespace trestle::zmq {

namespace {

constexpr size_t kLeasesShown = 8;

/// Routing ids are bytes: as they are when they are plain text, else in hexadecimal.
std::string printable(std::string_view peer) {
    const bool is_plain =
        !peer.empty() && std::ranges::all_of(peer, [](char c) { return c > ' ' && c < '\x7f'; });
    if (is_plain) return std::string(peer);
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (const char c : peer) {
        const auto byte = static_cast<unsigned char>(c);
        text += {kHex[byte >> 4], kHex[byte & 15]};
    }
    return text;
}

const char* name_of(Dialect dialect) {
    switch (dialect) {
        case Dialect::mdp1:
            return "mdp 0.1";
        case Dialect::mdp2:
            return "mdp 0.2";
        default:
            return "trestle";
    }
}

}  // namespace

WorkerReport RouterEndpoint::report_of(const Worker& worker) const {
    const uint64_t now_ms = context_.home().now_ms();
    const auto since = [&](uint64_t then_ms) { return now_ms - std::min(then_ms, now_ms); };
    WorkerReport report;
    report.id = printable(worker.peer);
    report.protocol = name_of(worker.dialect);
    report.state = worker.has_room() ? "ready" : "busy";
    report.service = worker.service->name;
    report.window = worker.window;
    report.in_flight = worker.holds;
    report.silent_ms = since(worker.heard_ms);
    for (const Lease& lease : worker.leases) {
        if (report.leases.size() == kLeasesShown) break;
        if (lease.job == nullptr) continue;  // it has ended without this worker
        const RoutePtr& route = lease.job->line.route();
        const bool has_end = lease.due_ms != kNever && lease.due_ms > now_ms;
        report.leases.push_back({id_of(*lease.job), route ? route->name() : "",
                                 since(lease.begun_ms), has_end ? lease.due_ms - now_ms : 0});
    }
    return report;
}

std::vector<WorkerReport> RouterEndpoint::workers(std::string_view after, size_t most) {
    // The ids first: there are `max_workers` of them at most, and few are shown.
    std::vector<std::pair<std::string, const Worker*>> found;
    std::vector<WorkerReport> reports;
    const std::lock_guard guard(mutex_);
    board_.each_worker([&](const Worker& worker) {
        std::string id = printable(worker.peer);
        if (id > after) found.emplace_back(std::move(id), &worker);
    });
    const auto end = found.begin() + static_cast<ptrdiff_t>(std::min(most, found.size()));
    std::partial_sort(found.begin(), end, found.end());
    for (auto at = found.begin(); at != end; ++at) reports.push_back(report_of(*at->second));
    return reports;
}

}  // namespace trestle::zmq
