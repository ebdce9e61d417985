// Addresses as they stand in the config: what to listen on or connect to.
//
//   mqtt://127.0.0.1:1883      ws://[::1]:8083/mqtt     tcp://*:5556     tcp://eth0:5556
//   mqtt+unix:///run/x.sock    ipc:///run/y.sock        ipc://@abstract  inproc://name
//
// Plain values; parsing never throws and touches no network (names are not resolved).
// Syntax: RFC 3986 section 3 without user information, query and fragment; ZeroMQ's `*`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trestle {

struct Uri {
    std::string scheme;     // in lower case, as written otherwise: "mqtt", "mqtt+unix", "tcp"
    std::string host;       // without brackets; "*" = every address; empty for local addresses
    uint16_t port = 0;      // 0 = any free one
    std::string path;       // the request path with its "/", or the path or name of a local address
    bool is_local = false;  // unix socket or inproc: `path` counts, there is no host or port
    bool is_ipv6 = false;   // the host was written in brackets

    /// "mqtt://[::1]:1883": what was parsed, in one spelling.
    [[nodiscard]] std::string text() const;
};

struct ParsedUri {
    std::optional<Uri> uri;
    std::string fault;  // why there is none: "has no port"
};

/// `default_port`: when the text has none; without it, and for schemes that have no usual port, a
/// missing port is a fault.
ParsedUri parse_uri(std::string_view text, std::optional<uint16_t> default_port = std::nullopt);

/// 1883 for mqtt, 8883 for mqtts, 80 and 443 for the web's; none for the others.
std::optional<uint16_t> usual_port(std::string_view scheme);

/// Only programs on this machine can reach it: 127.0.0.0/8, ::1, localhost, lo, local sockets.
bool is_loopback(const Uri& uri);

/// Two listeners on these addresses get in each other's way. An address that stands for all of this
/// machine's collides with each of them; port 0 never collides.
bool collide(const Uri& a, const Uri& b);

}  // namespace trestle
