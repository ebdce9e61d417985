// What an MQTT endpoint can be told in the config, and the same as a plain struct.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/session.h"
#include "plugin_api/options.h"

namespace trestle::mqtt {

/// For an endpoint with listeners of its own.
std::vector<Option> endpoint_options();
/// For the protocol over another endpoint's streams: all but the listeners.
std::vector<Option> protocol_options();
/// Faults that the descriptions cannot express.
void check_endpoint(const Settings& settings, FaultSink& faults);

struct ClientOptions {
    uint32_t connect_timeout_ms;
    uint32_t max_connections;
    uint32_t maximum_packet_size;
    uint32_t max_connect_packet_size;  // before CONNECT has been accepted
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint16_t server_keep_alive;  // seconds, the most that is granted; 0: no limit
    uint32_t session_expiry_maximum;
    uint32_t max_sessions;
    uint8_t maximum_qos;
    uint32_t max_topic_levels;
    uint16_t outgoing_topic_aliases;
    bool retain_available;
    bool wildcard_subscription_available;
    bool shared_subscription_available;
    bool check_payload_format;
    bool proxy_protocol;
    std::string response_information;  // empty: none is given
    std::string server_reference;      // empty: none
    std::vector<std::string> refuse_filters;
    size_t max_write_buffer;
    SessionLimits session;

    static ClientOptions from(const Settings& settings);
};

}  // namespace trestle::mqtt
