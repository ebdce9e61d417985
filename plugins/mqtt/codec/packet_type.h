// The control packet types (MQTT 5.0 section 2.1.2) and the protocol versions.
#pragma once

#include <cstdint>

namespace trestle::mqtt {

/// The protocol level byte of CONNECT.
enum class Version : uint8_t { v31 = 3, v311 = 4, v5 = 5 };

enum class PacketType : uint8_t {
    connect = 1,
    connack = 2,
    publish = 3,
    puback = 4,
    pubrec = 5,
    pubrel = 6,
    pubcomp = 7,
    subscribe = 8,
    suback = 9,
    unsubscribe = 10,
    unsuback = 11,
    pingreq = 12,
    pingresp = 13,
    disconnect = 14,
    auth = 15,
};

}  // namespace trestle::mqtt
