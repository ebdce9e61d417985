#include "mqtt/options.h"

#include <algorithm>

#include "mqtt/codec/packet.h"
#include "plugin_api/subscription_options.h"
#include "plugin_api/uri.h"

namespace trestle::mqtt {

namespace {

constexpr double kMostSeconds = 4'294'967'295.0;  // "never" (MQTT 5.0 section 3.1.2.11.2)

}  // namespace

std::vector<Option> protocol_options() {
    std::vector<Option> o;
    o.push_back(Option::integer("connect_timeout_ms",
                                "Time for a new connection to send its CONNECT packet")
                    .between(10, 600'000)
                    .fallback(10'000));
    o.push_back(Option::integer("max_connections", "Connections at the same time")
                    .between(1, 10'000'000)
                    .fallback(1'000'000));
    o.push_back(Option::integer("maximum_packet_size", "Largest packet accepted, in bytes")
                    .between(64, static_cast<double>(kLargestPacket))
                    .fallback(16 * 1024 * 1024));
    o.push_back(Option::integer("max_connect_packet_size",
                                "Largest CONNECT packet, in bytes; maximum_packet_size holds too")
                    .between(64, static_cast<double>(kLargestPacket))
                    .fallback(128 * 1024));
    o.push_back(Option::integer("receive_maximum",
                                "QoS 1 and 2 messages a client may have unacknowledged towards us")
                    .between(1, 65'535)
                    .fallback(1024));
    o.push_back(Option::integer("topic_alias_maximum", "Topic aliases a client may use")
                    .between(0, 65'535)
                    .fallback(64));
    o.push_back(Option::integer("server_keep_alive",
                                "Longest keep alive granted, in seconds; 0: whatever clients ask")
                    .between(0, 65'535)
                    .fallback(0));
    o.push_back(Option::integer("session_expiry_maximum",
                                "Longest time a session outlives its connection, in seconds")
                    .between(0, kMostSeconds)
                    .fallback(int64_t{604'800}));
    o.push_back(Option::integer("max_sessions",
                                "Sessions that outlive their connections, those of connected "
                                "clients included")
                    .between(1, 100'000'000)
                    .fallback(1'000'000));
    o.push_back(Option::integer("maximum_qos", "Highest QoS offered").between(0, 2).fallback(2));
    o.push_back(
        Option::boolean("retain_available", "Whether messages may be retained").fallback(true));
    o.push_back(
        Option::boolean("wildcard_subscription_available", "Whether filters may have wildcards")
            .fallback(true));
    o.push_back(Option::boolean("shared_subscription_available",
                                "Whether clients may share subscriptions ($share/group/filter)")
                    .fallback(true));
    o.push_back(Option::string_list("refuse_filters",
                                    "Filters that clients may not subscribe to, by pattern (itself "
                                    "a filter): whoever asks for one, or for a part of it, gets "
                                    "0x80 in SUBACK")
                    .topic_filters());
    o.push_back(Option::boolean("check_payload_format",
                                "Refuse payloads that are marked as text and are no UTF-8 (0x99)")
                    .fallback(false));
    o.push_back(Option::string("response_information",
                               "Response Information for clients that ask for it, usually the "
                               "front of their response topics"));
    o.push_back(Option::string("server_reference",
                               "Another server: named to clients that find this one full (0x9C)"));
    o.push_back(Option::integer("outgoing_topic_aliases",
                                "Topic aliases used towards a client that allows them, at most")
                    .between(0, 65'535)
                    .fallback(32));
    o.push_back(Option::integer("max_topic_levels", "Levels of a topic or filter")
                    .between(1, 65'535)
                    .fallback(128));
    add_subscription_options(o);
    o.push_back(Option::integer("max_inflight",
                                "QoS 1 and 2 messages on their way to one client; its own Receive "
                                "Maximum counts too; from a 3.1.1 client that many are read before "
                                "they are answered")
                    .between(1, 65'535)
                    .fallback(1024));
    o.push_back(Option::integer("max_queued_messages", "Messages that wait for one client")
                    .between(1, 100'000'000)
                    .fallback(100'000));
    o.push_back(Option::integer("max_queued_bytes", "Bytes that wait for one client")
                    .between(1024, 1e12)
                    .fallback(int64_t{64} << 20));
    o.push_back(Option::string("when_full", "What a client's full queue drops")
                    .one_of({"drop_oldest", "drop_newest"})
                    .fallback("drop_oldest"));
    o.push_back(
        Option::boolean("queue_qos0_offline", "Keep QoS 0 messages for clients that are away")
            .fallback(false));
    o.push_back(Option::integer("max_write_buffer",
                                "Bytes encoded for one connection that it has not taken yet; more "
                                "waits in the client's queue")
                    .between(4096, 1e9)
                    .fallback(1024 * 1024));
    return o;
}

std::vector<Option> endpoint_options() {
    std::vector<Option> o;
    o.push_back(Option::string_list("listen", "Addresses: mqtt://host:port, mqtt+unix:///path")
                    .required()
                    .between(1, 1024)
                    .shown_as("mqtt://127.0.0.1:1883"));
    o.push_back(Option::boolean("proxy_protocol",
                                "Every connection begins with a PROXY header, version 1 or 2, that "
                                "tells the client's address")
                    .fallback(false));
    for (auto& option : protocol_options()) o.push_back(std::move(option));
    return o;
}

void check_endpoint(const Settings& settings, FaultSink& faults) {
    const auto& listen = settings.list("listen");
    for (size_t i = 0; i < listen.size(); ++i) {
        const std::string path = "listen[" + std::to_string(i) + "]";
        const auto parsed = parse_uri(listen[i], 1883);
        if (!parsed.uri) {
            faults.fault(path, "found \"" + listen[i] + "\", which " + parsed.fault +
                                   "; right is mqtt://127.0.0.1:1883");
        } else if (parsed.uri->scheme != "mqtt" && parsed.uri->scheme != "mqtt+unix") {
            faults.fault(path, "found scheme \"" + parsed.uri->scheme +
                                   "\"; right is mqtt:// or mqtt+unix://");
        }
    }
}

ClientOptions ClientOptions::from(const Settings& s) {
    ClientOptions o{};
    o.connect_timeout_ms = static_cast<uint32_t>(s.integer("connect_timeout_ms"));
    o.max_connections = static_cast<uint32_t>(s.integer("max_connections"));
    o.maximum_packet_size = static_cast<uint32_t>(s.integer("maximum_packet_size"));
    o.max_connect_packet_size = std::min(
        static_cast<uint32_t>(s.integer("max_connect_packet_size")), o.maximum_packet_size);
    o.receive_maximum = static_cast<uint16_t>(s.integer("receive_maximum"));
    o.topic_alias_maximum = static_cast<uint16_t>(s.integer("topic_alias_maximum"));
    o.server_keep_alive = static_cast<uint16_t>(s.integer("server_keep_alive"));
    o.session_expiry_maximum = static_cast<uint32_t>(s.integer("session_expiry_maximum"));
    o.max_sessions = static_cast<uint32_t>(s.integer("max_sessions"));
    o.maximum_qos = static_cast<uint8_t>(s.integer("maximum_qos"));
    o.retain_available = s.boolean("retain_available");
    o.wildcard_subscription_available = s.boolean("wildcard_subscription_available");
    o.shared_subscription_available = s.boolean("shared_subscription_available");
    o.check_payload_format = s.boolean("check_payload_format");
    o.proxy_protocol = s.has("proxy_protocol") && s.boolean("proxy_protocol");
    if (s.has("refuse_filters")) o.refuse_filters = s.list("refuse_filters");
    if (s.has("response_information")) o.response_information = s.string("response_information");
    if (s.has("server_reference")) o.server_reference = s.string("server_reference");
    o.outgoing_topic_aliases = static_cast<uint16_t>(s.integer("outgoing_topic_aliases"));
    o.max_topic_levels = static_cast<uint32_t>(s.integer("max_topic_levels"));
    o.session.subscriptions = subscription_limits(s);
    o.max_write_buffer = static_cast<size_t>(s.integer("max_write_buffer"));
    o.session.incoming_window = o.receive_maximum;
    o.session.max_inflight = static_cast<uint16_t>(s.integer("max_inflight"));
    o.session.max_queued_messages = static_cast<size_t>(s.integer("max_queued_messages"));
    o.session.max_queued_bytes = static_cast<size_t>(s.integer("max_queued_bytes"));
    o.session.drop_oldest = s.string("when_full") == "drop_oldest";
    o.session.queue_qos0_offline = s.boolean("queue_qos0_offline");
    return o;
}

}  // namespace trestle::mqtt
