#include "server/api/figures_json.h"

namespace trestle {

using nlohmann::ordered_json;

namespace {

int64_t whole(double value) { return static_cast<int64_t>(value); }

ordered_json drops_of(const std::array<double, kDropReasons>& dropped) {
    ordered_json out = ordered_json::object();
    for (size_t i = 0; i < kDropReasons; ++i) {
        if (dropped[i] == 0) continue;
        out[std::string(name_of(static_cast<DropReason>(i)))] = whole(dropped[i]);
    }
    return out;
}

}  // namespace

ordered_json endpoint_figures_json(const EndpointFigures& e) {
    return {{"received", whole(e.received)},
            {"sent", whole(e.sent)},
            {"received_bytes", whole(e.received_bytes)},
            {"sent_bytes", whole(e.sent_bytes)},
            {"protocol_errors", whole(e.protocol_errors)},
            {"peers", whole(e.peers)},
            {"queue_messages", whole(e.queue_messages)},
            {"queue_bytes", whole(e.queue_bytes)},
            {"in_flight", whole(e.in_flight)},
            {"dropped", drops_of(e.dropped)}};
}

ordered_json route_figures_json(const RouteFigures& r) {
    return {{"received", whole(r.received)},
            {"matched", whole(r.matched)},
            {"sent", whole(r.sent)},
            {"acked", whole(r.acked)},
            {"refused", whole(r.refused)},
            {"timed_out", whole(r.timed_out)},
            {"dead_lettered", whole(r.dead_lettered)},
            {"dropped", whole(r.dropped)},
            {"queued", whole(r.queued)},
            {"queue_messages", whole(r.queue_messages)},
            {"queue_bytes", whole(r.queue_bytes)},
            {"in_flight", whole(r.in_flight)},
            {"waits", r.waits}};
}

}  // namespace trestle
