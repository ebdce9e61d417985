#include "websocket/upgrade.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/rfc7230.hpp>

#include "websocket/options.h"

namespace trestle::websocket {

namespace http = boost::beast::http;

namespace {

// MQTT 5.0 and 3.1.1 ask for "mqtt" [MQTT-6.0.0-3]; clients of the 3.1 days for the other.
constexpr std::array<std::string_view, 2> kMqtt = {"mqtt", "mqttv3.1"};
constexpr std::array<std::string_view, 1> kJson = {"trestle.v1+json"};

std::string_view text(boost::beast::string_view s) { return {s.data(), s.size()}; }

/// In any of the lines: they are one list (RFC 7230 section 3.2.2).
bool has_token(const Request& request, http::field field, std::string_view token) {
    const auto [first, last] = request.equal_range(field);
    return std::any_of(first, last, [token](const auto& line) {
        return http::token_list(line.value()).exists({token.data(), token.size()});
    });
}

bool given_once(const Request& request, http::field field) { return request.count(field) == 1; }

/// 16 bytes in base64.
bool is_key(std::string_view key) {
    if (key.size() != 24 || !key.ends_with("==")) return false;
    return std::all_of(key.begin(), key.end() - 2, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    });
}

/// The first of the client's that is offered.
bool agree_on_subprotocol(const Request& request, const UpgradeRules& rules, Verdict& verdict) {
    const auto [first, last] = request.equal_range(http::field::sec_websocket_protocol);
    if (first == last) {
        verdict.speaks_json = true;
        return rules.offers_json;
    }
    const auto agree = [&verdict](const auto& known, std::string_view asked, bool json) {
        const auto* found = std::ranges::find(known, asked);
        if (found == known.end()) return false;
        verdict.subprotocol = *found;
        verdict.speaks_json = json;
        return true;
    };
    for (auto field = first; field != last; ++field) {
        for (const auto& asked : http::token_list(field->value())) {
            if (rules.offers_mqtt && agree(kMqtt, text(asked), false)) return true;
            if (rules.offers_json && agree(kJson, text(asked), true)) return true;
        }
    }
    return false;
}

DeflateAgreement agreed_deflate(const Request& request) {
    std::vector<std::string_view> offers;
    const auto [first, last] = request.equal_range(http::field::sec_websocket_extensions);
    for (auto field = first; field != last; ++field) offers.push_back(text(field->value()));
    return agree_on_deflate(offers);
}

/// Without a query. A whole address holds the path too (RFC 6455 section 4.2.1).
std::string_view path_of(std::string_view target) {
    target = target.substr(0, target.find('?'));
    const size_t host = target.starts_with('/') ? target.npos : target.find("://");
    if (host == target.npos) return target;
    const size_t path = target.find('/', host + 3);
    return path == target.npos ? "/" : target.substr(path);
}

bool path_is_served(const Request& request, const std::string& path) {
    return path.empty() || path_of(text(request.target())) == path;
}

/// Only browsers send an origin, and cannot be kept from it: the check protects their users from
/// other people's pages. For other clients it would protect nothing.
bool origin_may_connect(const Request& request, const std::vector<std::string>& allowed) {
    const auto found = request.find(http::field::origin);
    if (allowed.empty() || found == request.end()) return true;
    return std::ranges::find(allowed, normal_origin(text(found->value()))) != allowed.end();
}

}  // namespace

std::string_view to_string(Failure failure) {
    switch (failure) {
        case Failure::malformed:
            return "malformed";
        case Failure::too_large:
            return "too_large";
        case Failure::not_websocket:
            return "not_websocket";
        case Failure::path:
            return "path";
        case Failure::origin:
            return "origin";
        case Failure::subprotocol:
            return "subprotocol";
        case Failure::limit:
            return "limit";
        case Failure::timeout:
            return "timeout";
        case Failure::gone:
            return "gone";
        case Failure::shutdown:
            return "shutdown";
    }
    return "malformed";
}

Verdict refused(unsigned status, Failure failure, std::string_view sentence) {
    return {status, failure, sentence, {}, false, {}};
}

Verdict judge(const Request& request, const UpgradeRules& rules) {
    if (!path_is_served(request, rules.path)) {
        return refused(404, Failure::path, "Nothing is served at this path.");
    }
    if (!has_token(request, http::field::upgrade, "websocket")) {
        return refused(
            426, Failure::not_websocket,
            "Only WebSocket is spoken here, with the subprotocol mqtt or trestle.v1+json.");
    }
    if (request.method() != http::verb::get || request.version() != 11 ||
        !has_token(request, http::field::connection, "upgrade") ||
        !given_once(request, http::field::host)) {
        return refused(
            400, Failure::malformed,
            "A WebSocket handshake is a GET request of HTTP/1.1 with one Host header and "
            "\"Connection: Upgrade\".");
    }
    if (!given_once(request, http::field::sec_websocket_version) ||
        text(request[http::field::sec_websocket_version]) != "13") {
        return refused(426, Failure::malformed, "Only version 13 of WebSocket is spoken here.");
    }
    if (!given_once(request, http::field::sec_websocket_key) ||
        !is_key(text(request[http::field::sec_websocket_key]))) {
        return refused(400, Failure::malformed,
                       "Sec-WebSocket-Key must be given once and hold 16 bytes in base64.");
    }
    if (request.count(http::field::origin) > 1) {
        return refused(400, Failure::malformed, "There is more than one Origin header.");
    }
    if (!origin_may_connect(request, rules.allowed_origins)) {
        return refused(403, Failure::origin, "Pages of this origin may not connect.");
    }
    Verdict verdict;
    if (!agree_on_subprotocol(request, rules, verdict)) {
        return refused(400, Failure::subprotocol,
                       "Sec-WebSocket-Protocol must name a subprotocol that is offered here: mqtt, "
                       "or trestle.v1+json, which needs not be named.");
    }
    if (verdict.speaks_json && rules.deflates_json) verdict.deflate = agreed_deflate(request);
    return verdict;
}

}  // namespace trestle::websocket
