#include "server/api/admin_guard.h"

#include <boost/asio/ip/address.hpp>

#include "server/http_answer.h"

namespace trestle {

namespace {

/// "localhost:8080" -> "localhost", "[::1]:8080" -> "::1".
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) {
        const size_t end = authority.find(']');
        return end == std::string_view::npos ? "" : authority.substr(1, end - 1);
    }
    return authority.substr(0, authority.rfind(':'));
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
    if (!request.path.starts_with("/api/")) return std::nullopt;
    const std::string_view host = request.header("Host");
    const std::string_view origin = request.header("Origin");
    if (!origin.empty() && authority_of(origin) != host) {
        return http_problem(403, "Pages of other origins may not use this API.");
    }
    if (names_matter && !host.empty() && !names_this_machine(host_of(host))) {
        return http_problem(
            403,
            "Ask by an address or as localhost, or set admin.token: without a token the API "
            "answers to no other name.");
    }
    return std::nullopt;
}

}  // namespace trestle
