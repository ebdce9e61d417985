#include "websocket/options.h"

#include <algorithm>
#include <cctype>

#include "websocket/json/options.h"

namespace trestle::websocket {

namespace {

// The largest MQTT packet: its own limit (`mqtt.max_packet_size`) is then the one that counts.
constexpr int64_t kLargestPacket = 268'435'460;

std::string listen_fault(std::string_view text) {
    const ParsedUri parsed = parse_uri(text, 80);
    if (!parsed.uri) return std::string("\"") + std::string(text) + "\" " + parsed.fault;
    if (parsed.uri->scheme == "wss") {
        return "wss:// is not supported yet: use ws:// behind a proxy that ends TLS";
    }
    if (parsed.uri->scheme != "ws") {
        return "an address of a websocket endpoint begins with ws://, this one with " +
               parsed.uri->scheme + "://";
    }
    if (parsed.uri->host.empty()) return "the host is missing";
    return {};
}

std::string origin_fault(std::string_view text) {
    if (text == "null") return {};
    const size_t scheme = text.find("://");
    const std::string_view rest = scheme == text.npos ? "" : text.substr(scheme + 3);
    if (rest.empty() || rest.find_first_of("/?# ") != rest.npos) {
        return std::string("\"") + std::string(text) +
               "\" is no origin: it is a scheme, a host and perhaps a port, as in "
               "https://example.org";
    }
    return {};
}

}  // namespace

std::string normal_origin(std::string_view origin) {
    std::string out(origin);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::vector<Option> describe_options() {
    std::vector<Option> options;
    options.push_back(
        Option::string_list("listen",
                            "Addresses to listen on; a path in an address is the only "
                            "one that is served there")
            .required()
            .between(1, 64)
            .shown_as("ws://127.0.0.1:8083"));
    options.push_back(Option::string_list("subprotocols", "What is spoken here")
                          .one_of({"mqtt", "trestle.v1+json"})
                          .between(1, 2)
                          .fallback(std::vector<std::string>{"mqtt", "trestle.v1+json"}));
    options.push_back(Option::string("path", "The only request path that is served; unset: any")
                          .shown_as("/mqtt"));
    options.push_back(Option::string_list("allowed_origins",
                                          "Origins of web pages that may connect; empty: any. "
                                          "Clients that are no browsers send none and may connect")
                          .fallback(std::vector<std::string>{})
                          .shown_as("https://example.org"));
    options.push_back(
        Option::integer("handshake_timeout_ms", "Time for a client to complete its handshake")
            .between(1, 600'000)
            .fallback(10'000));
    options.push_back(Option::integer("max_connections", "Connections at the same time")
                          .between(1, 10'000'000)
                          .fallback(100'000));
    options.push_back(Option::integer("max_message_size",
                                      "Bytes in one WebSocket message of an MQTT client; a packet "
                                      "may come in several")
                          .between(125, 1LL << 40)
                          .fallback(kLargestPacket));
    options.push_back(
        Option::integer("ping_interval_ms",
                        "A client that was silent for so long is sent a ping; one that "
                        "stays silent as long again is disconnected; 0: never")
            .between(0, 86'400'000)
            .fallback(30'000));
    options.push_back(
        Option::object("json", "Clients that speak trestle.v1+json", json::describe_options()));
    return options;
}

void check_options(const Settings& settings, FaultSink& faults) {
    const auto& listen = settings.list("listen");
    for (size_t i = 0; i < listen.size(); ++i) {
        const std::string fault = listen_fault(listen[i]);
        if (!fault.empty()) faults.fault("listen[" + std::to_string(i) + "]", fault);
    }
    const auto& origins = settings.list("allowed_origins");
    for (size_t i = 0; i < origins.size(); ++i) {
        const std::string fault = origin_fault(origins[i]);
        if (!fault.empty()) faults.fault("allowed_origins[" + std::to_string(i) + "]", fault);
    }
    if (settings.has("path") && !settings.string("path").starts_with('/')) {
        faults.fault("path", "a request path begins with /");
    }
}

WebSocketOptions WebSocketOptions::from(const Settings& settings) {
    WebSocketOptions out;
    for (const auto& text : settings.list("listen")) {
        auto parsed = parse_uri(text, 80);
        if (parsed.uri) out.listen.push_back(std::move(*parsed.uri));
    }
    if (settings.has("path")) out.path = settings.string("path");
    for (const auto& origin : settings.list("allowed_origins")) {
        out.allowed_origins.push_back(normal_origin(origin));
    }
    out.handshake_timeout_ms = static_cast<uint64_t>(settings.integer("handshake_timeout_ms"));
    out.ping_interval_ms = static_cast<uint64_t>(settings.integer("ping_interval_ms"));
    out.max_message_size = static_cast<uint64_t>(settings.integer("max_message_size"));
    out.max_connections = static_cast<uint32_t>(settings.integer("max_connections"));
    const auto& spoken = settings.list("subprotocols");
    out.offers_mqtt = std::ranges::find(spoken, "mqtt") != spoken.end();
    out.offers_json = std::ranges::find(spoken, "trestle.v1+json") != spoken.end();
    return out;
}

}  // namespace trestle::websocket
