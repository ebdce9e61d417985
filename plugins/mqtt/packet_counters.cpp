#include "mqtt/packet_counters.h"

namespace trestle::mqtt {

PacketCounters::PacketCounters(const EndpointContext& context) {
    Metrics& metrics = context.host().metrics();
    const Labels mine{{"endpoint", context.name()}};
    streams = &metrics.counter("trestle_mqtt_streams_total", "Connections that were opened", mine);
    connects = &metrics.counter("trestle_mqtt_connects_total", "CONNECT packets accepted", mine);
    size_t reason = 0;
    for (const auto* name : {"max_connections", "max_sessions", "max_session_bytes", "packet"}) {
        refused[reason++] =
            &metrics.counter("trestle_mqtt_connects_refused_total", "CONNECT packets refused",
                             {{"endpoint", context.name()}, {"reason", name}});
    }
    received = &metrics.counter("trestle_mqtt_control_packets_received_total",
                                "Packets from clients, of any kind but PUBLISH", mine);
    received_bytes = &metrics.counter("trestle_mqtt_control_received_bytes_total",
                                      "Bytes of these packets", mine);
    sent = &metrics.counter("trestle_mqtt_control_packets_sent_total",
                            "Packets to clients, of any kind but PUBLISH", mine);
    sent_bytes =
        &metrics.counter("trestle_mqtt_control_sent_bytes_total", "Bytes of these packets", mine);
}

}  // namespace trestle::mqtt
