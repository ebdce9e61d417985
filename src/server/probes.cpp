#include "server/probes.h"

#include <utility>

#include "plugin_api/metrics.h"
#include "server/exporter.h"
#include "server/router.h"

namespace trestle {

void add_probes(Router& router, const Metrics& metrics, NotReadyReasons not_ready) {
    router.exact("GET", "/metrics", [&metrics](const HttpRequest&) {
        HttpResponse response;
        response.content_type = kPrometheusContentType;
        response.body = prometheus_text(metrics);
        return response;
    });
    router.exact("GET", "/healthz",
                 [](const HttpRequest&) { return HttpResponse::text(200, "ok"); });
    router.exact("GET", "/readyz", [not_ready = std::move(not_ready)](const HttpRequest&) {
        const auto reasons = not_ready();
        if (reasons.empty()) return HttpResponse::text(200, "ready");
        HttpResponse response;
        response.status = 503;
        for (const auto& reason : reasons) response.body += reason + "\n";
        return response;
    });
}

}  // namespace trestle
