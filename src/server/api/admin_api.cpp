#include "server/api/admin_api.h"

#include "server/api/admin_guard.h"
#include "server/api/assets.h"
#include "server/config.h"
#include "server/http_address.h"

namespace trestle {

namespace {

// Only what is served here runs, and it asks only here: no other host is ever contacted.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

HttpResponse response_of(const Asset& asset) {
    HttpResponse response;
    response.content_type = asset.content_type;
    response.body = asset.bytes;
    response.headers = {{"Content-Security-Policy", kContentPolicy},
                        {"Referrer-Policy", "no-referrer"}};
    return response;
}

bool is_loopback_listener(const std::string& address) {
    return parse_http_address(address).endpoint.address().is_loopback();
}

}  // namespace

AdminApi::AdminApi(Router& router, ApiHost& host) : stats_(router, host), tails_(router, host) {
    add_client_api(router, host);
    add_subscription_api(router, host);
    add_retained_api(router, host);
    add_route_api(router, host);
    add_worker_api(router, host);
    add_operator_api(router, host);
    add_publish_api(router, host);
    for (const Asset& asset : assets()) {
        router.exact("GET", std::string(asset.path),
                     [&asset](const HttpRequest&) { return response_of(asset); });
    }
    const AdminConfig& admin = host.config().admin;
    const bool names_matter = admin.token.empty() && is_loopback_listener(admin.listen);
    router.guard_with([names_matter](const HttpRequest& request) {
        return refuse_foreign_page(request, names_matter);
    });
}

std::vector<std::string> AdminApi::open_paths() {
    std::vector<std::string> paths;
    for (const Asset& asset : assets()) {
        if (!asset.path.starts_with("/api/")) paths.emplace_back(asset.path);
    }
    return paths;
}

}  // namespace trestle
