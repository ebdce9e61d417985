// The rules of the opening handshake: what a request is answered with (RFC 6455 section 4.2,
// MQTT 5.0 section 6), and what is spoken afterwards. No I/O and no state.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/deflate.h"

namespace trestle::websocket {

using Request = boost::beast::http::request<boost::beast::http::empty_body>;

/// Why handshakes fail: a label of their counter.
enum class Failure : uint8_t {
    malformed,
    too_large,
    not_websocket,
    path,
    origin,
    subprotocol,
    limit,
    timeout,
    gone,
    shutdown,
};
inline constexpr size_t kFailures = 10;
std::string_view to_string(Failure failure);

struct UpgradeRules {
    std::string path;                          ///< empty = any
    std::vector<std::string> allowed_origins;  ///< in lower case; empty = any
    bool offers_mqtt = true;
    bool offers_json = true;
    bool deflates_json = false;
};

struct Verdict {
    unsigned status = 101;
    Failure failure = Failure::malformed;  ///< unless status is 101
    std::string_view sentence;             ///< what a refused client is told
    std::string_view subprotocol;          ///< what is agreed on; empty: the client asked for none
    bool speaks_json = false;              ///< else MQTT
    DeflateAgreement deflate;
};

Verdict refused(unsigned status, Failure failure, std::string_view sentence);
Verdict judge(const Request& request, const UpgradeRules& rules);

}  // namespace trestle::websocket
