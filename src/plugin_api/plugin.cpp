#include "plugin_api/plugin.h"

#include "plugin_api/ledgers.h"

namespace trestle {

const char* build_stamp() { return TRESTLE_BUILD_STAMP; }

EndpointCounters EndpointContext::counters(std::string_view protocol) const {
    Metrics& metrics = host_.metrics();
    EndpointCounters c{};
    for (int qos = 0; qos < 3; ++qos) {
        const Labels labels{
            {"endpoint", name_}, {"protocol", std::string(protocol)}, {"qos", std::to_string(qos)}};
        c.messages_received[qos] = &metrics.counter("trestle_messages_received_total",
                                                    "Messages that peers published", labels);
        c.messages_sent[qos] = &metrics.counter("trestle_messages_sent_total",
                                                "Messages handed to peers' connections", labels);
    }
    const Labels both{{"endpoint", name_}, {"protocol", std::string(protocol)}};
    c.bytes_received = &metrics.counter("trestle_received_bytes_total", "Bytes from peers", both);
    c.bytes_sent = &metrics.counter("trestle_sent_bytes_total", "Bytes of messages to peers", both);
    c.protocol_errors = &metrics.counter("trestle_protocol_errors_total",
                                         "Peers that broke the protocol and were cut off", both);
    c.connections =
        &metrics.gauge("trestle_connections",
                       "MQTT and JSON clients connected now; of ZeroMQ see trestle_zmq_peers",
                       {{"endpoint", name_}});
    c.dropped = drop_counters();
    return c;
}

DropCounters EndpointContext::drop_counters() const {
    DropCounters counters{};
    for (size_t i = 0; i < kDropReasons; ++i) {
        counters[i] = &host_.metrics().counter(
            "trestle_messages_dropped_total", "Copies of messages dropped, by reason",
            {{"endpoint", name_}, {"reason", std::string(name_of(static_cast<DropReason>(i)))}});
    }
    return counters;
}

SessionLedger EndpointContext::session_ledger() const {
    return make_ledger<SessionLedger>(
        host_.metrics(), {{"endpoint", name_}},
        {.matched = {"trestle_session_matched_total", "Copies made for this endpoint's sessions"},
         .outcomes = {"trestle_session_messages_total",
                      "Copies for this endpoint's sessions, by what became of them; \"queued\" "
                      "counts passages"},
         .queue_messages = {"trestle_session_queue_messages",
                            "Messages that wait in sessions' queues"},
         .queue_bytes = {"trestle_session_queue_bytes", "Bytes that wait in sessions' queues"},
         .in_flight = {"trestle_session_in_flight",
                       "Messages sent to clients and not acknowledged yet"}},
        drop_counters());
}

RouteLedger make_route_ledger(Metrics& metrics, const std::string& route,
                              const DropCounters& reasons) {
    const Labels mine{{"route", route}};
    auto ledger = make_ledger<RouteLedger>(
        metrics, mine,
        {.matched = {"trestle_route_matched_total", "Copies made for this route"},
         .outcomes = {"trestle_route_messages_total",
                      "Copies for this route, by what became of them; \"queued\" counts passages"},
         .queue_messages = {"trestle_route_queue_messages", "Messages that wait in the queue"},
         .queue_bytes = {"trestle_route_queue_bytes", "Bytes that wait in the queue"},
         .in_flight = {"trestle_route_in_flight", "Messages with workers, not acknowledged yet"}},
        reasons);
    ledger.received = &metrics.counter("trestle_route_received_total",
                                       "Messages from ZeroMQ that the route gave a topic", mine);
    ledger.wait_seconds = &metrics.histogram(
        "trestle_route_wait_seconds", "Time from the hub to the taking by the endpoint's socket",
        {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}, mine);
    return ledger;
}

}  // namespace trestle
