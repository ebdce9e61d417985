#include "plugin_api/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace trestle {

namespace {

bool is_scheme(std::string_view s) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    auto other = [](char c) { return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; };
    return !s.empty() && letter(s.front()) &&
           std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || other(c); });
}

bool is_local_scheme(std::string_view scheme) {
    return scheme == "ipc" || scheme == "inproc" || scheme == "unix" || scheme.ends_with("+unix");
}

ParsedUri refuse(std::string why) { return {std::nullopt, std::move(why)}; }

bool is_host(std::string_view host) {
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    });
}

// `*` and `0` both mean: any free port.
std::optional<uint16_t> parse_port(std::string_view text) {
    if (text == "*") return uint16_t{0};
    unsigned value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 65535) return {};
    return static_cast<uint16_t>(value);
}

ParsedUri parse_local(Uri uri, std::string_view rest) {
    uri.is_local = true;
    uri.path = rest;
    if (rest.empty()) return refuse("has no path");
    if (rest.find('\0') != std::string_view::npos) return refuse("has a NUL in its path");
    const bool free_name = uri.scheme == "inproc" || uri.scheme == "ipc";
    if (!free_name && rest.front() != '/') return refuse("has a path that does not start with /");
    // sun_path, with its end mark; a longer one cannot be bound.
    if (uri.scheme != "inproc" && rest.size() > 107) return refuse("has a path over 107 bytes");
    return {std::move(uri), {}};
}

// The bytes of a numeric address, IPv4 as IPv4-mapped IPv6; nothing for names.
std::optional<std::array<unsigned char, 16>> numeric(const Uri& uri) {
    std::array<unsigned char, 16> bytes{};
    const std::string host = uri.host.substr(0, uri.host.find('%'));
    if (inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return bytes;
    in_addr four{};
    if (inet_pton(AF_INET, host.c_str(), &four) != 1) return {};
    bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::memcpy(bytes.data() + 12, &four, 4);
    return bytes;
}

// One spelling for hosts that mean the same.
std::string plain_host(const Uri& uri) {
    if (uri.host == "*") return "0.0.0.0";
    if (uri.host == "localhost" || uri.host == "lo") return "127.0.0.1";
    const auto bytes = numeric(uri);
    if (!bytes) return uri.host;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool is_four = !uri.is_ipv6;
    inet_ntop(is_four ? AF_INET : AF_INET6, bytes->data() + (is_four ? 12 : 0), text.data(),
              text.size());
    return text.data();
}

}  // namespace

std::string Uri::text() const {
    if (is_local) return scheme + "://" + path;
    const std::string shown = is_ipv6 ? "[" + host + "]" : host;
    return scheme + "://" + shown + ":" + std::to_string(port) + path;
}

std::optional<uint16_t> usual_port(std::string_view scheme) {
    if (scheme == "mqtt") return 1883;
    if (scheme == "mqtts") return 8883;
    if (scheme == "http" || scheme == "ws") return 80;
    if (scheme == "https" || scheme == "wss") return 443;
    return {};
}

ParsedUri parse_uri(std::string_view text, std::optional<uint16_t> default_port) {
    const size_t mark = text.find("://");
    if (mark == std::string_view::npos) return refuse("has no scheme such as mqtt:// or tcp://");
    Uri uri;
    uri.scheme = text.substr(0, mark);
    if (!is_scheme(uri.scheme)) return refuse("has a scheme that is not one");
    std::transform(uri.scheme.begin(), uri.scheme.end(), uri.scheme.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    std::string_view rest = text.substr(mark + 3);
    if (is_local_scheme(uri.scheme)) return parse_local(std::move(uri), rest);

    const size_t slash = std::min(rest.find('/'), rest.size());
    uri.path = rest.substr(slash);
    std::string_view authority = rest.substr(0, slash);
    if (uri.path.find_first_of("?# ") != std::string::npos)
        return refuse("has a query or fragment");
    if (authority.find('@') != std::string_view::npos) return refuse("has a user name in it");

    size_t after_host = 0;
    if (authority.starts_with('[')) {
        const size_t close = authority.find(']');
        if (close == std::string_view::npos) return refuse("has a [ without its ]");
        uri.host = authority.substr(1, close - 1);
        uri.is_ipv6 = true;
        in6_addr six{};
        const std::string address = uri.host.substr(0, uri.host.find('%'));
        if (inet_pton(AF_INET6, address.c_str(), &six) != 1)
            return refuse("has no IPv6 address in []");
        after_host = close + 1;
    } else {
        after_host = std::min(authority.find(':'), authority.size());
        uri.host = authority.substr(0, after_host);
        if (authority.find(':', after_host + 1) != std::string_view::npos) {
            return refuse("has an IPv6 address without [] around it");
        }
        if (uri.host.empty()) return refuse("has no host");
        if (uri.host != "*" && !is_host(uri.host)) return refuse("has a host that is not one");
    }
    std::string_view port = authority.substr(after_host);
    if (port.empty()) {
        if (!default_port) default_port = usual_port(uri.scheme);
        if (!default_port) return refuse("has no port");
        uri.port = *default_port;
    } else {
        const auto value = port.front() == ':' ? parse_port(port.substr(1)) : std::nullopt;
        if (!value) return refuse("has a port that is not between 0 and 65535");
        uri.port = *value;
    }
    return {std::move(uri), {}};
}

bool is_loopback(const Uri& uri) {
    if (uri.is_local || uri.host == "localhost" || uri.host == "lo") return true;
    const auto bytes = numeric(uri);
    if (!bytes) return false;
    static constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0,    0,
                                                           0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(kMapped.begin(), kMapped.end(), bytes->begin())) return (*bytes)[12] == 127;
    return std::all_of(bytes->begin(), bytes->end() - 1, [](unsigned char b) { return b == 0; }) &&
           bytes->back() == 1;
}

bool collide(const Uri& a, const Uri& b) {
    if (a.is_local || b.is_local) {
        // A wildcard name is made up by ZeroMQ, another each time.
        return a.is_local && b.is_local && a.path == b.path && a.path != "*" &&
               (a.scheme == "inproc") == (b.scheme == "inproc");
    }
    if (a.port == 0 || a.port != b.port) return false;
    const std::string left = plain_host(a), right = plain_host(b);
    if (left == right) return true;
    if (a.is_ipv6 != b.is_ipv6) return false;
    auto is_all = [](const std::string& host) { return host == "0.0.0.0" || host == "::"; };
    return is_all(left) || is_all(right);
}

}  // namespace trestle
