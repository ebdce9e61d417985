#include "server/api/admin_guard.h"

#include <boost/asio/ip/address.hpp>

#include "server/http_answer.h"

namespace trestle {

namespace {

/// "localhost:8080" -> "localhost", "[::1]:8080" -> "::1".
std::string_view host_of(std::string_view authority) {
    const size_t bracket = authority.find(']');  // colons before it belong to the address
    const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string_view host = authority.substr(0, colon);
    const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    return in_brackets ? host.substr(1, host.size() - 2) : host;
}

bool names_this_machine(std::string_view host) {
    if (host == "localhost" || host.ends_with(".localhost")) return true;
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);  // an address cannot be rebound
    return !error;
}

std::string_view authority_of(std::string_view origin) {
    const size_t scheme = origin.find("://");
    return scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
}

}  // namespace

std::optional<HttpResponse> refuse_foreign_page(const HttpRequest& request, bool names_matter) {
    const bool is_api = request.path.starts_with("/api/");
    if (!is_api && request.path != "/metrics") return std::nullopt;
    const std::string_view host = request.header("Host");
    const std::string_view origin = request.header("Origin");
    // Browsers tell the latter also of what has no Origin: images, links, forms that are fetched.
    const std::string_view site = request.header("Sec-Fetch-Site");
    const bool is_foreign = (!origin.empty() && authority_of(origin) != host) ||
                            site == "cross-site" || site == "same-site";
    if (is_api && is_foreign) {
        return http_refusal(request, 403, "Pages of other origins may not use this API.");
    }
    if (names_matter && !host.empty() && !names_this_machine(host_of(host))) {
        return http_refusal(
            request, 403,
            "Ask by an address or as localhost, or set admin.token: without a token nothing is "
            "told to who asks by another name.");
    }
    return std::nullopt;
}

}  // namespace trestle
