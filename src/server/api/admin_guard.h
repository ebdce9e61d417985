// Who may use the API, and read the metrics, without a token: programs and pages of this machine,
// not web pages from elsewhere that a browser on it happens to show. Pure; main thread.
#pragma once

#include <optional>

#include "server/router.h"

namespace trestle {

/// Refuses (403) what a browser asks of the API on behalf of another origin, and, when the API
/// listens on loopback and asks no token, requests that name another host than this machine: a name
/// that leads here was made to (DNS rebinding). Nothing: let it pass.
std::optional<HttpResponse> refuse_foreign_page(const HttpRequest& request, bool names_matter);

}  // namespace trestle
