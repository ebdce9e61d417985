#include "server/http_address.h"

#include <fmt/format.h>

#include <charconv>

namespace trestle {

namespace net = boost::asio;

HttpAddress parse_http_address(std::string_view uri) {
    constexpr std::string_view kScheme = "http://";
    const auto wrong = [&](std::string_view what) {
        return HttpAddress{{},
                           fmt::format("\"{}\" {}; write it as http://127.0.0.1:8080, "
                                       "http://[::1]:8080 or http://localhost:8080",
                                       uri, what)};
    };
    if (!uri.starts_with(kScheme)) return wrong("does not begin with http://");
    std::string_view rest = uri.substr(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    const size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || rest.ends_with(']')) return wrong("has no port");

    const std::string_view digits = rest.substr(colon + 1);
    uint16_t port = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failed != std::errc() || end != digits.data() + digits.size()) {
        return wrong("has no port between 0 and 65535");
    }

    std::string host(rest.substr(0, colon));
    if (host == "localhost") host = "127.0.0.1";
    const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (in_brackets) host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    const auto address = net::ip::make_address(host, error);
    if (error || address.is_v6() != in_brackets) return wrong("has no IP address");
    return {net::ip::tcp::endpoint(address, port), {}};
}

}  // namespace trestle
